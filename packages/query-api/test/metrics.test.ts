import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { get, post } from '@sluice/testkit/http';
import { makeEvents } from '@sluice/testkit/make-event';
import { type Operations, startOperations } from '@sluice/testkit/operations';
import { scrape } from '@sluice/testkit/scrape';

/** The queue is read once a second at most. */
const PATIENCE = { timeout: 180_000, interval: 50 };

let operations: Operations;
/** A key without a limit. */
let key: string;
beforeAll(async () => {
  operations = await startOperations({ API_KEY: 'the-key', DB_POOL_SIZE: '2', RATE_LIMIT_PER_MINUTE: '1' });
  const wanted = { name: 'reader', scopes: ['read'], requests_per_minute: 0 };
  ({ key } = (await operations.ask('POST', '/api/keys', wanted, 'the-key')).body);
});
afterAll(() => operations.stop());

const metrics = () => scrape(operations.query.url);

it('answers without a key, without a limit, in both formats, and is in no documentation', async () => {
  for (let times = 0; times < 3; times += 1) {
    const answer = await get(`${operations.query.url}/metrics`);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toContain('version=0.0.4');
    expect(answer.headers.get('ratelimit-limit')).toBeNull();
  }
  const open = await get(`${operations.query.url}/metrics`, { accept: 'application/openmetrics-text' });
  expect(open.headers.get('content-type')).toContain('application/openmetrics-text');
  expect(open.body).toMatch(/# EOF\n$/);
  const { body } = await get(`${operations.query.url}/docs/json`);
  expect(Object.keys(body.paths)).not.toContain('/metrics');
});

it('counts requests by route and never by path', async () => {
  for (const path of ['/api/dead-letters/12', '/api/dead-letters/13', '/nothing/12', '/nothing/13']) {
    await get(`${operations.query.url}${path}`);
  }
  const found = await metrics();
  const count = (route: string, status: string) =>
    found.value('http_server_request_duration_seconds_count', {
      http_request_method: 'GET',
      http_route: route,
      http_response_status_code: status,
    });
  expect(count('/api/dead-letters/:id', '401')).toBe(2);
  expect(count('(none)', '404')).toBe(2);
  expect(found.text).not.toMatch(/nothing|dead-letters\/1/);
  // The scrape itself.
  expect(found.value('http_server_active_requests')).toBe(1);
});

it('says what waits, since when, what is pending and what no writer has read, by shard', async () => {
  const { redis, stream, namespace, ingest } = operations.pipeline;
  const shard = { shard: '0' };
  await vi.waitFor(async () => {
    const found = await metrics();
    expect(found.value('sluice_queue_entries', shard)).toBe(0);
    expect(found.value('sluice_queue_oldest_age_seconds', shard)).toBe(0);
    expect(found.value('sluice_queue_entries_added_total', shard)).toBe(0);
  }, PATIENCE);

  await redis.xgroup('CREATE', stream, 'writers', '0', 'MKSTREAM');
  for (let batch = 0; batch < 5; batch += 1) {
    await post(`${ingest.url}/api/events`, { events: makeEvents(2) }, { 'x-api-key': 'the-key' });
  }
  await redis.xreadgroup('GROUP', 'writers', 'asleep', 'COUNT', 2, 'STREAMS', stream, '>');
  const [seconds] = await redis.time();
  // A shard that is no longer configured has to be drained all the same.
  await redis.xadd(`${namespace}:{events:3}`, `${(Number(seconds) - 100) * 1000}-0`, 'v', '1');
  const found = await vi.waitFor(async () => {
    const seen = await metrics();
    expect(seen.value('sluice_queue_entries', { shard: '3' })).toBe(1);
    return seen;
  }, PATIENCE);
  expect(found.value('sluice_queue_entries', shard)).toBe(5);
  expect(found.value('sluice_queue_pending_entries', shard)).toBe(2);
  expect(found.value('sluice_queue_lag_entries', shard)).toBe(3);
  expect(found.value('sluice_queue_bytes', shard)).toBe(await redis.memory('USAGE', stream, 'SAMPLES', 5));
  expect(found.value('sluice_queue_entries_added_total', shard)).toBe(5);
  expect(found.value('sluice_queue_entries_settled_total', shard)).toBe(0);
  expect(found.value('sluice_queue_drift_entries', shard)).toBe(0);
  const age = found.value('sluice_queue_oldest_age_seconds', { shard: '3' });
  expect(age).toBeGreaterThanOrEqual(100);
  expect(age).toBeLessThan(130);
  expect(found.value('sluice_redis_used_memory_bytes')).toBeGreaterThan(100_000);
  expect(found.value('sluice_redis_max_memory_bytes')).toBe(0);
  await redis.del(`${namespace}:{events:3}`);
  await vi.waitFor(
    async () => expect((await metrics()).value('sluice_queue_entries', { shard: '3' })).toBeUndefined(),
    PATIENCE,
  );
});

it('counts outcomes of added events: stored, duplicate, dead, and what left the stream without a COMMIT', async () => {
  const { pipeline } = operations;
  const { redis, stream, ingest } = pipeline;
  const shard = { shard: '0' };
  const writer = await pipeline.startWriter('writer-1', { RECLAIM_IDLE_MS: '100' });
  const all = (events: number) =>
    vi.waitFor(async () => {
      const seen = await metrics();
      expect(seen.value('sluice_queue_entries', shard)).toBe(0);
      expect(seen.value('sluice_queue_events_settled_total', { ...shard, outcome: 'stored' })).toBe(events);
      return seen;
    }, PATIENCE);
  const first = await all(10);
  expect(first.value('sluice_queue_entries_settled_total', shard)).toBe(5);
  expect(first.value('sluice_queue_drift_entries', shard)).toBe(0);
  await vi.waitFor(
    async () => expect((await metrics()).value('sluice_queue_drain_entries_per_second')).toBeGreaterThan(0),
    PATIENCE,
  );
  await writer.stop();

  const batch = { events: makeEvents(3) };
  for (const body of [batch, batch]) await post(`${ingest.url}/api/events`, body, { 'x-api-key': 'the-key' });
  await redis.xadd(stream, '*', 'v', '1', 'h', 'garbage', 'b', '{}');
  await redis.xdel(stream, (await redis.xadd(stream, '*', 'v', '1'))!);
  await pipeline.startWriter('writer-2');
  await pipeline.drained();
  const found = await all(13);
  expect(found.value('sluice_queue_entries_added_total', shard)).toBe(9);
  expect(found.value('sluice_queue_entries_settled_total', shard)).toBe(8);
  expect(found.value('sluice_queue_events_settled_total', { ...shard, outcome: 'duplicate' })).toBe(3);
  expect(found.value('sluice_queue_events_settled_total', { ...shard, outcome: 'dead' })).toBe(1);
  expect(found.value('sluice_queue_drift_entries', shard)).toBe(1);
  expect(found.value('sluice_queue_drift_events', shard)).toBe(0);
});

it('counts live tails while they are open, and no request longer than it lasts', async () => {
  const hangUp = new AbortController();
  const tails = await Promise.all(
    ['A', 'B'].map((type) =>
      fetch(`${operations.query.url}/api/events/stream?event_types=${type}`, {
        headers: { 'x-api-key': key },
        signal: hangUp.signal,
      }),
    ),
  );
  expect(tails.map(({ status }) => status)).toEqual([200, 200]);
  const during = await metrics();
  expect(during.value('sluice_tail_readers')).toBe(2);
  expect(during.value('http_server_active_requests')).toBe(3);
  hangUp.abort();
  await vi.waitFor(async () => {
    const after = await metrics();
    expect(after.value('sluice_tail_readers')).toBe(0);
    expect(after.value('http_server_active_requests')).toBe(1);
  }, PATIENCE);
});

it('shows how busy each pool is', async () => {
  const { database } = operations.pipeline;
  const idle = await metrics();
  expect(idle.value('sluice_db_pool_max_connections', { pool: 'query' })).toBe(2);
  expect(idle.value('sluice_db_pool_max_connections', { pool: 'keys' })).toBe(1);
  // Without DATABASE_READ_URL there is no such pool.
  expect(idle.value('sluice_db_pool_max_connections', { pool: 'read' })).toBeUndefined();

  const blocker = await database.connect();
  await blocker.query('BEGIN; LOCK TABLE dead_letters IN ACCESS EXCLUSIVE MODE');
  const held = [1, 2, 3].map(() => operations.ask('GET', '/api/dead-letters', undefined, key));
  await vi.waitFor(async () => {
    const busy = await metrics();
    expect(busy.value('sluice_db_pool_connections', { pool: 'query', state: 'used' })).toBe(2);
    expect(busy.value('sluice_db_pool_connections', { pool: 'query', state: 'idle' })).toBe(0);
    // The third request, and the check of /health that this scrape makes.
    expect(busy.value('sluice_db_pool_waiting', { pool: 'query' })).toBeGreaterThan(0);
    // It could not be asked, so it is not up.
    expect(busy.value('sluice_dependency_up', { dependency: 'postgres' })).toBe(0);
  }, PATIENCE);
  await blocker.query('ROLLBACK');
  await blocker.end();
  expect((await Promise.all(held)).map(({ status }) => status)).toEqual([200, 200, 200]);
  await vi.waitFor(async () => {
    const after = await metrics();
    expect(after.value('sluice_db_pool_waiting', { pool: 'query' })).toBe(0);
    expect(after.value('sluice_db_pool_connections', { pool: 'query', state: 'used' })).toBe(0);
    expect(after.value('sluice_db_pool_connections', { pool: 'query', state: 'idle' })).toBeGreaterThan(0);
    expect(after.value('sluice_dependency_up', { dependency: 'postgres' })).toBe(1);
  }, PATIENCE);
});
