import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { DestinationError } from '@sluice/exports/destination';
import { behindFence } from '@sluice/testkit/behind-fence';
import { S3_CREDENTIALS, type S3Server, startS3Server } from '@sluice/testkit/s3-server';
import { startTcpProxy, type TcpProxy } from '@sluice/testkit/tcp-proxy';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import { afterFailure } from '../src/exports/after-failure.ts';
import { countExpected } from '../src/exports/count-expected.ts';
import { type ExportRig, exportRig, STORE_EVENTS } from './fixtures/export-rig.ts';

/** About 11 MB of NDJSON: two parts of a multipart upload. */
const EVENTS = 60_000;

let database: TestDatabase;
let s3: S3Server;
let proxy: TcpProxy;
let rig: ExportRig;
beforeAll(async () => {
  database = await createTestDatabase();
  s3 = await startS3Server();
  await database.query(STORE_EVENTS, ['default', EVENTS]);
  await behindFence(database);
});
beforeEach(async () => {
  proxy = await startTcpProxy(s3.port);
  // The proxy replaces the server of the variables, so that their credentials belong to it.
  const destination = s3.settings('client', 'exports', proxy.through(s3.endpoint).replace(/\/$/, ''));
  rig = await exportRig(database, { credentials: S3_CREDENTIALS, destination, backup: s3.settings('backup') });
});
afterEach(async () => {
  await rig.close();
  await proxy.close();
});
afterAll(async () => {
  await s3.close();
  await database.drop();
});

const queue = (properties = {}): Promise<string> =>
  rig.queue({ backup: rig.context.settings.defaults.backup!, ...properties });

async function runRow(id: string): Promise<Record<string, unknown>> {
  const [row] = await database.query('SELECT * FROM export_runs WHERE id = $1', [id]);
  return row!;
}

/** Writes to Postgres what an attempt threw, as the runner does. */
async function failingAttempt(id: string): Promise<DestinationError> {
  const error = await rig.run(id).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(DestinationError);
  const row = await runRow(id);
  await afterFailure(rig.opened.db, { id, trigger: String(row['trigger']), attempts: Number(row['attempts']) }, error);
  return error as DestinationError;
}

const manifestsOf = async (id: string): Promise<string[]> =>
  [...(await s3.keys('client')), ...(await s3.keys('backup'))].filter(
    (key) => key.includes(id) && key.endsWith('manifest.json'),
  );

it('the same bytes and manifest are in the client bucket and in the backup bucket', async () => {
  const id = await queue();
  const manifest = await rig.run(id);
  expect(manifest).toMatchObject({ rows: EVENTS });
  const { key, bytes } = manifest!.files[0]!;
  expect(bytes).toBeGreaterThan(8 * 1024 * 1024);
  const client = await s3.read('client', `exports/${key}`);
  expect(client.length).toBe(bytes);
  expect(client.equals(await s3.read('backup', key))).toBe(true);
  expect(await manifestsOf(id)).toHaveLength(2);
  expect(await runRow(id)).toMatchObject({
    state: 'succeeded',
    rows_done: String(EVENTS),
    rows_expected: String(EVENTS),
  });
});

it.each([
  ['an answer that is cut in the middle of an upload', { inReply: /HTTP\/1\.1 200 OK[^]*ETag/ }],
  ['a connection that is cut after a part', { afterRequest: /PUT [^ ]*partNumber=2/ }],
])('%s: the SDK sends it again', async (_, cut) => {
  const done = proxy.cutReplies(cut, 1);
  const id = await queue();
  expect(await rig.run(id)).toMatchObject({ rows: EVENTS });
  await done;
  expect(await manifestsOf(id)).toHaveLength(2);
});

it('a slow destination only makes the export slow', async () => {
  proxy.slowDown(20);
  expect(await rig.run(await queue())).toMatchObject({ rows: EVENTS });
});

it('an unavailable destination: no manifest anywhere, retries with longer waits, then the whole export', async () => {
  const id = await queue();
  void proxy.cutReplies({ afterRequest: /PUT/ }, 1_000);
  expect(await failingAttempt(id)).toMatchObject({ code: 'unreachable', permanent: false });
  const first = await runRow(id);
  expect(first).toMatchObject({ state: 'queued', attempts: 1, error_code: 'unreachable' });
  expect(await manifestsOf(id)).toEqual([]);
  // Not due yet.
  expect(await rig.run(id)).toBeNull();
  await database.query('UPDATE export_runs SET next_attempt_at = now() WHERE id = $1', [id]);
  await failingAttempt(id);
  const second = await runRow(id);
  expect(Number(second['next_attempt_at']) - Date.now()).toBeGreaterThan(4_000);
  void proxy.cutReplies({ afterRequest: /never/ }, 1);
  await database.query('UPDATE export_runs SET next_attempt_at = now() WHERE id = $1', [id]);
  expect(await rig.run(id)).toMatchObject({ rows: EVENTS });
  expect(await runRow(id)).toMatchObject({ state: 'succeeded', attempts: 2, error: null, error_code: null });
  expect(await manifestsOf(id)).toHaveLength(2);
});

it('a backup that refuses: neither has a manifest, and the run names the problem', async () => {
  const missing = { ...s3.settings('backup'), bucket: 'nowhere' };
  const id = await rig.queue({ backup: missing });
  Object.assign(rig.context.settings.defaults, { backup: missing });
  expect(await failingAttempt(id)).toMatchObject({ code: 'no_bucket', permanent: true });
  expect(await runRow(id)).toMatchObject({ state: 'failed', error_code: 'no_bucket' });
  expect(await manifestsOf(id)).toEqual([]);
});

it('a wrong key fails a scheduled run, pauses its tenant and retains the window for a retry', async () => {
  await database.query(
    `INSERT INTO export_configs (tenant, schedule, format, compression, destination, updated_by)
     VALUES ('default', '{"every":"hour","minute":0}', 'ndjson', 'none', $1, 'test')`,
    [JSON.stringify(rig.context.settings.defaults.destination)],
  );
  Object.assign(rig.context.settings.defaults, { credentials: { access_key_id: 'nobody', secret_access_key: 'x' } });
  const id = await rig.queue({ trigger: 'schedule' });
  expect(await failingAttempt(id)).toMatchObject({ code: 'bad_credentials', permanent: true });
  const failed = await runRow(id);
  expect(failed).toMatchObject({ state: 'failed', error_code: 'bad_credentials' });
  expect(JSON.stringify(failed)).not.toContain('secret');
  expect(await database.query('SELECT paused_code FROM export_configs WHERE paused_at IS NOT NULL')).toEqual([
    { paused_code: 'bad_credentials' },
  ]);
  expect(await database.query('SELECT * FROM export_positions')).toEqual([]);
  Object.assign(rig.context.settings.defaults, { credentials: S3_CREDENTIALS });
  await database.query(
    "INSERT INTO events (tenant, event_id, event_type, occurred_at, received_at, source, payload) VALUES ('default', gen_random_uuid(), 'later', now(), now(), 'governance-tracker', '{}')",
  );
  await database.query("UPDATE export_runs SET state = 'queued' WHERE id = $1", [id]);
  await behindFence(database);
  // The window of the first start, in which the later event is not.
  expect(await rig.run(id)).toMatchObject({ rows: EVENTS });
  expect(await rig.run(await rig.queue({ trigger: 'schedule' }))).toMatchObject({ rows: 1 });
  await database.query("DELETE FROM events WHERE event_type = 'later'");
});

it('a stop in the middle leaves the run to the next start, without a manifest', async () => {
  proxy.slowDown(300);
  const stop = new AbortController();
  const id = await queue();
  const running = rig.run(id, stop.signal);
  await vi.waitFor(async () => expect(await readdir(join(s3.folder, 'client'))).not.toEqual([]), { timeout: 180_000 });
  stop.abort(new Error('the worker stops'));
  await expect(running).rejects.toThrow('the worker stops');
  expect(await runRow(id)).toMatchObject({ state: 'running' });
  expect(await manifestsOf(id)).toEqual([]);
  proxy.slowDown(0);
  expect(await rig.run(id)).toMatchObject({ rows: EVENTS });
});

it('a cancel in the middle ends the attempt, without a manifest', async () => {
  proxy.slowDown(300);
  const id = await queue();
  const running = rig.run(id);
  await vi.waitFor(async () => expect(Number((await runRow(id))['rows_done'])).toBeGreaterThan(0), {
    timeout: 180_000,
  });
  await database.query("UPDATE export_runs SET state = 'cancelled' WHERE id = $1", [id]);
  expect(await running).toBeNull();
  expect(await runRow(id)).toMatchObject({ state: 'cancelled', manifest: null });
  expect(await manifestsOf(id)).toEqual([]);
});

it('a worker that dies between the manifest and its commit: the next one publishes the same, and reads no row', async () => {
  await database.query('TRUNCATE export_positions');
  const id = await queue({ trigger: 'schedule' });
  // This refuses the success, as if the process were dead.
  await database.query("ALTER TABLE export_runs ADD CONSTRAINT dead CHECK (state <> 'succeeded') NOT VALID");
  await expect(rig.run(id)).rejects.toThrow('dead');
  await database.query('ALTER TABLE export_runs DROP CONSTRAINT dead');
  const [before, row] = [await manifestsOf(id), await runRow(id)];
  expect(before).toHaveLength(2);
  expect(row).toMatchObject({ state: 'running', rows_done: String(EVENTS) });
  const part = (row['manifest'] as { files: { key: string }[] }).files[0]!.key;
  const written = await s3.read('backup', part);
  await database.query('ALTER TABLE events RENAME TO events_hidden');
  const manifest = await rig.run(id);
  await database.query('ALTER TABLE events_hidden RENAME TO events');
  expect(manifest).toEqual(row['manifest']);
  expect((await s3.read('backup', part)).equals(written)).toBe(true);
  expect(await runRow(id)).toMatchObject({ state: 'succeeded', rows_done: String(EVENTS) });
  expect(await rig.run(await queue({ trigger: 'schedule' }))).toMatchObject({ rows: 0 });
});

it('a lock that is lost with its connection ends the attempt, because another worker may begin', async () => {
  proxy.slowDown(300);
  const id = await queue();
  const running = rig.run(id);
  await vi.waitFor(async () => expect(Number((await runRow(id))['rows_done'])).toBeGreaterThan(0), {
    timeout: 180_000,
  });
  await database.query(
    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
  );
  await expect(running).rejects.toThrow(/terminat|connection/i);
  expect(Number((await runRow(id))['rows_done'])).toBeLessThan(EVENTS);
  expect(await manifestsOf(id)).toEqual([]);
});

it('counting that takes too long is given up, without a total', async () => {
  const holder = await database.connect();
  await holder.query('BEGIN; LOCK TABLE events');
  expect(await countExpected(rig.opened, [sql`true`], 50)).toBeNull();
  await holder.query('ROLLBACK');
  expect(await countExpected(rig.opened, [sql`true`])).toBe(EVENTS);
  await holder.end();
});

it('a window that a later run has exported is not exported again', async () => {
  await database.query('TRUNCATE export_positions');
  const late = await rig.queue({ tenant: 'other', trigger: 'schedule' });
  const stopped = AbortSignal.abort(new Error('the worker stops'));
  await expect(rig.run(late, stopped)).rejects.toThrow('the worker stops');
  await database.query("UPDATE export_runs SET state = 'failed' WHERE id = $1", [late]);
  await rig.run(await rig.queue({ tenant: 'other', trigger: 'schedule' }));
  await database.query("UPDATE export_runs SET state = 'queued' WHERE id = $1", [late]);
  await expect(rig.run(late)).rejects.toMatchObject({ code: 'superseded' });
});
