import { randomBytes, randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLogger } from '@sluice/daemon/log/logger';
import { openCredentials, sealCredentials } from '@sluice/exports/export-credentials';
import { openDatabase, type Database } from '@sluice/store/database';
import { readFence } from '@sluice/store/fence/fence';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import { readMaintenanceConfig } from '../src/config.ts';
import { movePastNothing } from '../src/exports/move-past-nothing.ts';
import { queueDueExports } from '../src/exports/queue-due-exports.ts';
import type { JobResult } from '../src/jobs/job.ts';
import { rotateExportKeysJob } from '../src/jobs/rotate-export-keys.ts';

const PATIENCE = { timeout: 180_000, interval: 20 };
let database: TestDatabase;
let opened: Database;
beforeAll(async () => {
  database = await createTestDatabase();
  opened = openDatabase({ url: database.url, poolSize: 4, statementTimeoutMs: 30_000, applicationName: 'test' });
});
afterAll(async () => {
  await opened.close();
  await database.drop();
});
beforeEach(() => database.query('TRUNCATE export_configs, export_runs, export_positions, events'));

const configOf = (env: Record<string, string> = {}) => readMaintenanceConfig({ DATABASE_URL: database.url, ...env });
const decide = (env: Record<string, string> = {}, knownSince = new Date()) =>
  queueDueExports(opened, {
    settings: configOf(env).exports,
    knownSince,
    signal: new AbortController().signal,
  });
const queueDue = async (env: Record<string, string> = {}, knownSince = new Date()) =>
  (await decide(env, knownSince)).runs;

const positionOf = async (tenant: string) => {
  const [row] = await database.query<{ tx: string; age: number }>(
    'SELECT tx::text, extract(epoch FROM now() - fenced_at)::float AS age FROM export_positions WHERE tenant = $1',
    [tenant],
  );
  return row!;
};

/** A configuration made `minutesAgo`. */
const configure = (
  tenant: string,
  schedule: object,
  more: { minutesAgo?: number; enabled?: boolean; paused?: boolean } = {},
) =>
  database.query(
    `INSERT INTO export_configs (tenant, schedule, format, compression, destination, updated_by, updated_at, enabled, paused_at)
     VALUES ($1, $2, 'csv', 'gzip', '{"kind":"local","prefix":"p"}', 'ada', now() - make_interval(mins => $3), $4,
             CASE WHEN $5 THEN now() END)`,
    [tenant, JSON.stringify(schedule), more.minutesAgo ?? 180, more.enabled ?? true, more.paused ?? false],
  );
const addRun = (tenant: string, minutesAgo: number, state = 'succeeded') =>
  database.query(
    `INSERT INTO export_runs (id, tenant, trigger, state, format, compression, destination, requested_by, created_at)
     VALUES ($1, $2, 'schedule', $3, 'csv', 'gzip', '{"kind":"local","prefix":"p"}', 'schedule',
             now() - make_interval(mins => $4))`,
    [randomUUID(), tenant, state, minutesAgo],
  );
/** Stores events, and waits until the fence is past them: transactions of other test files hold it back, too. */
async function addEvents(tenant: string, count: number): Promise<void> {
  await insertEvents(tenant, count);
  await vi.waitFor(async () => {
    const [row] = await database.query<{ past: boolean }>(
      'SELECT pg_snapshot_xmin(pg_current_snapshot()) > max(tx) AS past FROM events',
    );
    expect(row?.past).toBe(true);
  }, PATIENCE);
}
const insertEvents = (tenant: string, count: number) =>
  database.query(
    `INSERT INTO events (tenant, event_id, event_type, occurred_at, received_at, source, payload)
     SELECT $1, gen_random_uuid(), 'x', now(), now(), 'governance-tracker', '{}' FROM generate_series(1, $2::int)`,
    [tenant, count],
  );
const endRuns = () => database.query("UPDATE export_runs SET state = 'succeeded'");
const moveClock = (minutes: number) =>
  database.query('UPDATE export_runs SET created_at = created_at - make_interval(mins => $1)', [minutes]);
const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000);
const queuedTenants = async () =>
  (
    await database.query<{ tenant: string }>("SELECT tenant FROM export_runs WHERE state = 'queued' ORDER BY tenant")
  ).map((row) => row.tenant);

describe('queue-exports', () => {
  it('queues a due tenant, as it is configured', async () => {
    await configure('acme', { every: 'hour', minute: 0 });
    const [id] = await queueDue();
    expect(await database.query('SELECT * FROM export_runs')).toMatchObject([
      {
        id,
        tenant: 'acme',
        trigger: 'schedule',
        state: 'queued',
        format: 'csv',
        compression: 'gzip',
        destination: { kind: 'local', prefix: 'p' },
        backup: null,
        since: null,
        until: null,
        requested_by: 'schedule',
      },
    ]);
  });

  it('queues no tenant that is disabled, paused, manual, not due, or has an open run', async () => {
    await configure('disabled', { every: 'hour', minute: 0 }, { enabled: false });
    await configure('paused', { every: 'hour', minute: 0 }, { paused: true });
    await configure('manual', { manual: true });
    await configure('young', { cron: '0 0 1 1 *' }, { minutesAgo: 0 });
    for (const state of ['queued', 'running', 'paused']) {
      await configure(`has-${state}`, { every: 'hour', minute: 0 });
      await addRun(`has-${state}`, 300, state);
    }
    expect(await queueDue()).toEqual([]);
  });

  it('queues no tenant of the variables whose export failed for good, until the variables may have changed', async () => {
    await addEvents('acme', 1);
    await addRun('acme', 300, 'failed');
    await database.query("UPDATE export_runs SET finished_at = now() - interval '10 minutes'");
    const bucket = { CLIENT_S3_BUCKET: 'gone' };
    expect(await queueDue(bucket, minutesAgo(20))).toEqual([]);
    expect(await queueDue(bucket, minutesAgo(5))).toHaveLength(1);
  });

  it('queues one run for all missed ticks', async () => {
    await configure('acme', { every: 'minute' });
    await addEvents('acme', 1);
    await configure('hourly', { every: 'hour', minute: 0 }, { minutesAgo: 10_000 });
    await addRun('hourly', 600);
    expect(await queueDue()).toHaveLength(2);
    await endRuns();
    await setPosition('acme');
    // The hourly one ran this minute; its next time is the next full hour.
    expect(await queueDue()).toEqual([]);
  });

  it('queues one run, however many workers decide at once', async () => {
    await configure('acme', { every: 'hour', minute: 0 });
    const queued = await Promise.all(Array.from({ length: 8 }, () => queueDue()));
    expect(queued.flat()).toHaveLength(1);
  });

  it('a worker that decided before the run of another worker ended queues none', async () => {
    await configure('acme', { every: 'hour', minute: 0 });
    // Holds both after they have read and before they insert.
    const blocker = await database.connect();
    await blocker.query('BEGIN; LOCK TABLE export_runs IN SHARE ROW EXCLUSIVE MODE');
    const both = [queueDue(), queueDue()];
    await blocker.query(`
      DO $$ BEGIN
        WHILE (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock') < 2 LOOP
          PERFORM pg_sleep(0.01); PERFORM pg_stat_clear_snapshot();
        END LOOP; END $$`);
    await blocker.query(
      `INSERT INTO export_runs (id, tenant, trigger, state, format, compression, destination, requested_by)
       VALUES (gen_random_uuid(), 'acme', 'schedule', 'succeeded', 'csv', 'none', '{}', 'schedule')`,
    );
    await blocker.query('COMMIT');
    await blocker.end();
    expect((await Promise.all(both)).flat()).toEqual([]);
  });

  it('by threshold: when that many events are below the fence', async () => {
    await configure('acme', { every_events: 100 });
    await addEvents('acme', 99);
    await addEvents('other', 500);
    expect(await queueDue()).toEqual([]);
    await addEvents('acme', 1);
    expect(await queueDue()).toHaveLength(1);
    await endRuns();
    await setPosition('acme');
    expect(await queueDue()).toEqual([]);
    await addEvents('acme', 100);
    expect(await queueDue()).toHaveLength(1);
  });

  it('events of a running transaction do not count', async () => {
    await configure('acme', { every_events: 10 });
    await addEvents('acme', 9);
    const open = await database.connect();
    await open.query('BEGIN; SELECT pg_current_xact_id()');
    await insertEvents('acme', 1);
    expect(await queueDue()).toEqual([]);
    await open.query('COMMIT');
    await open.end();
    await addEvents('other', 1);
    expect(await queueDue()).toHaveLength(1);
  });

  it('near-real-time: each minute with a new event', async () => {
    await configure('acme', { every: 'minute' });
    expect(await queueDue()).toEqual([]);
    await addEvents('acme', 1);
    expect(await queueDue()).toHaveLength(1);
    await endRuns();
    await setPosition('acme');
    await moveClock(2);
    expect(await queueDue()).toEqual([]);
    await addEvents('acme', 1);
    expect(await queueDue()).toHaveLength(1);
  });

  it('near-real-time: the position of a quiet tenant moves without a run, and no event is left out', async () => {
    await configure('acme', { every: 'minute' });
    await addEvents('acme', 3);
    await setPosition('acme');
    await database.query("UPDATE export_positions SET fenced_at = now() - interval '5 minutes'");
    const behind = await positionOf('acme');
    await addEvents('other', 1);
    expect(await queueDue()).toEqual([]);
    const moved = await positionOf('acme');
    expect(moved.age).toBeLessThan(200);
    expect(BigInt(moved.tx)).toBeGreaterThan(BigInt(behind.tx));
    await addEvents('acme', 1);
    expect(await queueDue()).toHaveLength(1);
  });

  it('the position of a quiet tenant stays while a run is open, whose window begins there', async () => {
    await configure('acme', { every: 'minute' });
    await addEvents('acme', 1);
    await setPosition('acme');
    await database.query("UPDATE export_positions SET fenced_at = now() - interval '5 minutes', tx = '1'");
    const fence = await readFence(opened.db);
    await addRun('acme', 10, 'running');
    await movePastNothing(opened, 'acme', fence);
    expect(await positionOf('acme')).toMatchObject({ tx: '1' });
    await endRuns();
    await movePastNothing(opened, 'acme', { ...fence, systemIdentifier: 'other' });
    expect(await positionOf('acme')).toMatchObject({ tx: '1' });
    await movePastNothing(opened, 'acme', fence);
    expect(await positionOf('acme')).toMatchObject({ tx: fence.tx });
  });

  it('a schedule that cannot be worked out is reported, and does not stop the others', async () => {
    await configure('a', { cron: '0 0 31 4,6 *' });
    await configure('b', { every: 'day', at: '00:00', time_zone: 'Europe/Nowhere' });
    await configure('c', { every: 'hour', minute: 0 });
    const { runs, failures } = await decide();
    expect(runs).toHaveLength(1);
    expect(failures).toEqual([
      expect.stringMatching(/^a: .*never due/),
      expect.stringMatching(/^b: .*Europe\/Nowhere/),
    ]);
  });

  it('a daily schedule whose time the clocks skip is due that day', async () => {
    await configure('acme', { every: 'day', time_zone: 'America/Santiago', at: '00:00' });
    await database.query("UPDATE export_configs SET updated_at = '2026-09-05T12:00:00Z'");
    expect(await queueDue()).toHaveLength(1);
    await configure('lord', { every: 'day', time_zone: 'Australia/Lord_Howe', at: '02:00' });
    await database.query("UPDATE export_configs SET updated_at = '2026-04-03T15:00:30Z' WHERE tenant = 'lord'");
    expect(await queueDue()).toHaveLength(1);
  });

  it('a position of another cluster queues a run, which then reports it', async () => {
    await configure('acme', { every_events: 1000 });
    await setPosition('acme', 'another');
    expect(await queueDue()).toHaveLength(1);
  });

  it('queues tenants without a configuration only with CLIENT_S3_BUCKET, by EXPORT_SCHEDULE', async () => {
    const bucket = { CLIENT_S3_BUCKET: 'all-events', S3_BACKUP_BUCKET: 'backup', EXPORT_FORMAT: 'parquet' };
    await addEvents('acme', 3);
    await addEvents('emca', 3);
    await database.query("UPDATE events SET stored_at = now() - interval '3 hours'");
    await configure('own', { manual: true });
    await addEvents('own', 3);
    expect(await queueDue()).toEqual([]);
    expect(await queueDue({ ...bucket, EXPORT_SCHEDULE: 'manual' })).toEqual([]);
    expect(await queueDue({ ...bucket, EXPORT_SCHEDULE: 'threshold:4' })).toEqual([]);
    expect(await queueDue(bucket)).toHaveLength(2);
    expect(await queuedTenants()).toEqual(['acme', 'emca']);
    expect((await database.query('SELECT format, destination, backup FROM export_runs'))[0]).toEqual({
      format: 'parquet',
      destination: { kind: 's3', bucket: 'all-events', prefix: 'sluice' },
      backup: { kind: 's3', bucket: 'backup', prefix: 'sluice' },
    });
    await endRuns();
    expect(await queueDue(bucket)).toEqual([]);
  });

  it('reads more tenants than one page has', async () => {
    await database.query(
      `INSERT INTO export_configs (tenant, schedule, format, compression, destination, updated_by, updated_at)
       SELECT 'tenant-' || n, '{"every":"hour","minute":0}', 'csv', 'none', '{"kind":"local","prefix":""}', 'ada',
              now() - interval '3 hours' FROM generate_series(1, 1100) n`,
    );
    expect(await queueDue()).toHaveLength(1_100);
  });
});

const key = (id: string) => `${id}:${randomBytes(32).toString('base64')}`;
const [first, second] = [key('k1'), key('k2')];
const rotate = (keys: string): Promise<JobResult> =>
  rotateExportKeysJob.run(
    {
      database: opened,
      // The job talks to Postgres alone.
      redis: null as unknown as Redis,
      config: configOf({ EXPORT_ENCRYPTION_KEYS: keys }),
      logger: createLogger({ daemon: 'test', version: '0', level: 'fatal' }),
    },
    { id: randomUUID(), input: {}, signal: new AbortController().signal, progress: () => {} },
  );
const keyIds = async () =>
  (
    await database.query<{ key_id: string }>(
      'SELECT DISTINCT key_id FROM export_configs WHERE secrets IS NOT NULL ORDER BY 1',
    )
  ).map((row) => row.key_id);

describe('rotate-export-keys', () => {
  const credentials = { destination: { access_key_id: 'AKIA', secret_access_key: 'the secret' } };
  const sealAll = async (tenants: readonly string[], keys: string) => {
    await Promise.all(
      tenants.map(async (tenant) => {
        await configure(tenant, { manual: true });
        const sealed = sealCredentials(configOf({ EXPORT_ENCRYPTION_KEYS: keys }).exports.keys, tenant, credentials);
        await database.query('UPDATE export_configs SET secrets = $2, key_id = $3 WHERE tenant = $1', [
          tenant,
          sealed?.bytes,
          sealed?.keyId,
        ]);
      }),
    );
  };

  it('seals everything with the active key, in batches; then the old key is not needed', async () => {
    const tenants = Array.from({ length: 110 }, (_, at) => `tenant-${at}`);
    await sealAll(tenants, first);
    await configure('without', { manual: true });
    expect(await rotate(`${second},${first}`)).toEqual({ rows: 110, details: { key: 'k2' } });
    expect(await keyIds()).toEqual(['k2']);
    const { keys } = configOf({ EXPORT_ENCRYPTION_KEYS: second }).exports;
    const [row] = await database.query<{ secrets: Buffer }>(
      "SELECT secrets FROM export_configs WHERE tenant = 'tenant-7'",
    );
    expect(openCredentials(keys, 'tenant-7', { bytes: row!.secrets, keyId: 'k2' })).toEqual(credentials);
    expect(await rotate(second)).toMatchObject({ rows: 0 });
  });

  it('names the missing key, and seals the other tenants', async () => {
    await sealAll(['a', 'c'], first);
    await sealAll(['b'], key('lost'));
    await expect(rotate(`${second},${first}`)).rejects.toThrow(/^2 are sealed with k2, 1 are not: .*b .*key lost/);
    expect(await keyIds()).toEqual(['k2', 'lost']);
  });
});

/** Puts a tenant's position where the fence is now. */
async function setPosition(tenant: string, cluster?: string): Promise<void> {
  await database.query(
    `INSERT INTO export_positions (tenant, tx, system_identifier, fenced_at, floor, run_id)
     SELECT $1, pg_snapshot_xmin(pg_current_snapshot()), coalesce($2, system_identifier::text), now(), 'epoch', gen_random_uuid()
     FROM pg_control_system() ON CONFLICT (tenant) DO UPDATE SET tx = excluded.tx`,
    [tenant, cluster ?? null],
  );
}
