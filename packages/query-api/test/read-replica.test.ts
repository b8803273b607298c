import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, inject, it, vi } from 'vitest';
import { freePort } from '@sluice/local-stack/free-port';
import { type PostgresHandle, startPostgres } from '@sluice/local-stack/postgres';
import { openDatabase } from '@sluice/store/database';
import { prepareDatabase } from '@sluice/store/prepare-database';
import { get, post } from '@sluice/testkit/http';
import { makeEvent } from '@sluice/testkit/make-event';
import { type Operations, startOperations } from '@sluice/testkit/operations';
import { sealHotSegment } from '@sluice/testkit/seal-hot-segment';
import { startTestDaemon, type TestDaemon } from '@sluice/testkit/test-daemon';
import { testNamespace } from '@sluice/testkit/test-namespace';

const PATIENCE = { timeout: 180_000, interval: 20 };
const SETTINGS = { shared_buffers: '64MB', fsync: 'off' };

let folder: string;
let primary: PostgresHandle;
let replica: PostgresHandle;
let onPrimary: pg.Pool;
let query: TestDaemon;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-replica-'));
  const [first, second] = [join(folder, 'primary'), join(folder, 'replica')];
  const port = await freePort();
  primary = await startPostgres({ dataDir: first, port, settings: SETTINGS });
  const opened = openDatabase({ url: primary.url, poolSize: 1, statementTimeoutMs: 30_000, applicationName: 'test' });
  await prepareDatabase(opened);
  await opened.close();
  // A copy of a server that was stopped in order is as good as a base backup.
  await primary.stop();
  await cp(first, second, { recursive: true });
  await writeFile(join(second, 'pgdata/standby.signal'), '');
  primary = await startPostgres({ dataDir: first, port, settings: SETTINGS });
  const { username, password } = new URL(primary.url);
  replica = await startPostgres({
    dataDir: second,
    port: await freePort(),
    settings: {
      ...SETTINGS,
      primary_conninfo: `host=127.0.0.1 port=${port} user=${username} password=${password}`,
      wal_retrieve_retry_interval: '100ms',
    },
  });
  onPrimary = new pg.Pool({ connectionString: primary.url });
  onPrimary.on('error', () => {});
  query = await startTestDaemon('query-api', {
    DATABASE_URL: primary.url,
    DATABASE_READ_URL: replica.url,
    REDIS_URL: inject('redisUrl'),
    SLUICE_NAMESPACE: testNamespace(),
    RATE_LIMIT_PER_MINUTE: '0',
  });
});
afterAll(async () => {
  await query.stop();
  await onPrimary.end();
  await Promise.all([primary.stop('immediate'), replica.stop('immediate')]);
  await rm(folder, { recursive: true, force: true });
});

/** Stores an event as a writer does, and a session and a dead letter with it. */
async function store(id: string): Promise<void> {
  await onPrimary.query(
    `WITH event AS (
       INSERT INTO events (tenant, event_id, event_type, occurred_at, received_at, session_id, source, payload)
       VALUES ('default', $1::text::uuid, 'A', now(), now(), $1::text, 'governance-tracker', '{}') RETURNING *
     ), letter AS (
       INSERT INTO dead_letters (reason, message, raw, stream, entry_id, entry_index) VALUES ('x', $1::text, '', 's', $1::text, -1)
     )
     INSERT INTO sessions (tenant, session_id, started_at, last_event_at, last_seen_at, event_count)
     SELECT tenant, session_id, occurred_at, occurred_at, stored_at, 1 FROM event`,
    [id],
  );
}

/** Seals what the primary has stored so far. */
async function seal(): Promise<void> {
  const opened = openDatabase({ url: primary.url, poolSize: 4, statementTimeoutMs: 30_000, applicationName: 'test' });
  await sealHotSegment(opened);
  await opened.close();
}

const readsOf = (id: string) =>
  Promise.all([
    post(`${query.url}/api/events/query`, { session_ids: [id] }).then(({ body }) => body.events.length as number),
    get(`${query.url}/api/events/${id}`).then(({ status }) => (status === 200 ? 1 : 0)),
    get(`${query.url}/api/sessions/${id}`).then(({ status }) => (status === 200 ? 1 : 0)),
  ]);
const total = async () => (await get(`${query.url}/api/events/statistics`)).body.total_events as number;
const age = async () => (await get(`${query.url}/api/events/recent`)).headers.get('x-data-age');
const letters = async (id: string) =>
  (await get(`${query.url}/api/dead-letters?text=${id}`)).body.dead_letters.length as number;

it('events, statistics and sessions come from the replica, and say how old they are; the rest from the primary', async () => {
  const [seen, unseen] = [String(makeEvent()['eventId']), String(makeEvent()['eventId'])];
  await store(seen);
  await seal();
  await vi.waitFor(async () => expect(await readsOf(seen)).toEqual([1, 1, 1]), PATIENCE);
  await vi.waitFor(async () => expect(await age()).toBe('0.0'), PATIENCE);

  const onReplica = new pg.Client({ connectionString: replica.url });
  await onReplica.connect();
  await onReplica.query('SELECT pg_wal_replay_pause()');
  await vi.waitFor(async () => {
    const { rows } = await onReplica.query('SELECT pg_get_wal_replay_pause_state() AS state');
    expect(rows).toEqual([{ state: 'paused' }]);
  }, PATIENCE);
  const tail = await fetch(`${query.url}/api/events/stream`);
  const streamed = tail.body!.pipeThrough(new TextDecoderStream()).getReader();
  expect((await streamed.read()).value).toContain('connected');
  await vi.waitFor(async () => {
    const { rows } = await onPrimary.query(
      "SELECT FROM pg_stat_activity WHERE query LIKE '%pg_current_snapshot() s%' AND application_name = 'sluice-query'",
    );
    expect(rows.length).toBeGreaterThan(0);
  }, PATIENCE);
  await store(unseen);
  // The replica has neither the event nor what became of its segment; later it gets them one after the other.
  await seal();

  expect(await letters(unseen)).toBe(1);
  expect((await streamed.read()).value).toContain(unseen);
  await streamed.cancel();
  expect(await readsOf(unseen)).toEqual([0, 0, 0]);
  expect(await total()).toBe(1);
  await vi.waitFor(async () => expect(Number(await age())).toBeGreaterThan(1), PATIENCE);

  await onReplica.query('SELECT pg_wal_replay_resume()');
  await onReplica.end();
  await vi.waitFor(async () => expect(await readsOf(unseen)).toEqual([1, 1, 1]), PATIENCE);
  expect(await total()).toBe(2);
  await vi.waitFor(async () => expect(await age()).toBe('0.0'), PATIENCE);
});

it('without its replica it answers 503 to reads, still serves operators, and says so', async () => {
  await replica.stop('immediate');
  await vi.waitFor(async () => expect(await age()).toBe('unknown'), PATIENCE);
  const { status, body } = await post(`${query.url}/api/events/query`, {});
  expect([status, body.error.code]).toEqual([503, 'database_unavailable']);
  expect((await get(`${query.url}/api/dead-letters`)).status).toBe(200);
  expect((await get(`${query.url}/ready`)).status).toBe(200);
  expect((await get(`${query.url}/health`)).body).toMatchObject({
    status: 'degraded',
    checks: { postgres: 'ok', read_replica: 'failed' },
  });
});

it('what still waits in the queue counts, too', async () => {
  const operations: Operations = await startOperations();
  const waiting = async () =>
    Number((await get(`${operations.query.url}/api/events/recent`)).headers.get('x-data-age'));
  await vi.waitFor(async () => expect(await waiting()).toBe(0), PATIENCE);
  await post(`${operations.pipeline.ingest.url}/api/events`, { events: [makeEvent()] });
  await vi.waitFor(async () => expect(await waiting()).toBeGreaterThan(1), PATIENCE);
  const { redis, stream } = operations.pipeline;
  await redis.del(stream);
  await vi.waitFor(async () => expect(await waiting()).toBe(0), PATIENCE);
  await operations.stop();
});
