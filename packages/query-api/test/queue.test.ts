import { afterAll, beforeAll, expect, inject, it, vi } from 'vitest';
import { expectError } from '@sluice/testkit/expect-error';
import { get, post } from '@sluice/testkit/http';
import { makeEvents } from '@sluice/testkit/make-event';
import { operatorKey, type Operations, startOperations } from '@sluice/testkit/operations';
import { startTestDaemon } from '@sluice/testkit/test-daemon';

let operations: Operations;
beforeAll(async () => {
  operations = await startOperations();
});
afterAll(() => operations.stop());

const NOTHING = {
  entries: { added: 0, settled: 0, waiting: 0, orphaned: 0, drift: 0 },
  events: { settled: 0, stored: 0, duplicate: 0, dead: 0, drift: 0 },
};
const queue = async () => (await operations.ask('GET', '/api/queue')).body;

it('shows an empty queue, what waits, what is pending with whom, and how fast it drains', async () => {
  const { redis, stream, ingest } = operations.pipeline;
  expect(await queue()).toEqual({
    shards: [
      {
        shard: 0,
        length: 0,
        bytes: 0,
        pending: 0,
        lag: null,
        oldest_age_seconds: null,
        conservation: NOTHING,
        consumers: [],
      },
    ],
    consumers: [],
    totals: { length: 0, bytes: 0, pending: 0 },
    conservation: NOTHING,
    drain_rate_per_second: 0,
    seconds_to_empty: 0,
  });

  await redis.xgroup('CREATE', stream, 'writers', '0', 'MKSTREAM');
  for (let batch = 0; batch < 10; batch += 1) await post(`${ingest.url}/api/events`, { events: makeEvents(5) });
  await redis.xreadgroup('GROUP', 'writers', 'asleep', 'COUNT', 4, 'STREAMS', stream, '>');
  const waiting = await queue();
  expect(waiting.shards).toMatchObject([
    { shard: 0, length: 10, pending: 4, lag: 6, consumers: [{ name: 'asleep', pending: 4 }] },
  ]);
  expect(waiting.shards[0].bytes).toBeGreaterThan(1_000);
  expect(waiting.shards[0].bytes).toBe(await redis.memory('USAGE', stream, 'SAMPLES', 5));
  expect(waiting.shards[0].oldest_age_seconds).toBeGreaterThanOrEqual(0);
  expect(waiting.shards[0].oldest_age_seconds).toBeLessThan(20);
  expect(waiting.shards[0].consumers[0].idle_ms).toBeLessThan(20_000);
  expect(waiting.totals).toMatchObject({ length: 10, pending: 4 });
  expect(waiting.seconds_to_empty).toBeNull();

  await operations.pipeline.startWriter('writer-1', { RECLAIM_IDLE_MS: '100' });
  await operations.pipeline.drained();
  await vi.waitFor(async () => expect((await queue()).drain_rate_per_second).toBeGreaterThan(0), {
    timeout: 180_000,
    interval: 50,
  });
  const drained = await queue();
  expect(drained.totals).toEqual({ length: 0, bytes: expect.any(Number) as number, pending: 0 });
  expect(drained.seconds_to_empty).toBe(0);
  expect(drained.conservation).toEqual({
    entries: { added: 10, settled: 10, waiting: 0, orphaned: 0, drift: 0 },
    events: { settled: 50, stored: 50, duplicate: 0, dead: 0, drift: 0 },
  });
});

it('is for keys of all tenants: the numbers are those of the whole installation', async () => {
  const keyed = await startTestDaemon('query-api', {
    REDIS_URL: inject('redisUrl'),
    DATABASE_URL: operations.pipeline.database.url,
    OPERATOR_KEYS: [operatorKey('ada@acme', 'a'), operatorKey('bob', 'b')].join(','),
  });
  const ask = (key: string) => get(`${keyed.url}/api/queue`, { 'x-api-key': key });
  expectError(await ask('a'), 'forbidden', /all tenants/);
  expect((await ask('b')).status).toBe(200);
  await keyed.stop();
});

it('shows what left a stream without having been stored', async () => {
  const { redis, stream } = operations.pipeline;
  // No writer sees it: both are done at once.
  await redis.multi().xadd(stream, '5000000000000-0', 'v', '1').xdel(stream, '5000000000000-0').exec();
  const { shards, conservation } = await queue();
  expect(shards[0].conservation).toEqual(conservation);
  expect(conservation).toMatchObject({
    entries: { added: 11, settled: 10, waiting: 0, orphaned: 0, drift: 1 },
    events: { settled: 50, stored: 50, drift: 0 },
  });
});

it('shows shards that are no longer configured, too', async () => {
  const { redis, namespace } = operations.pipeline;
  await redis.xadd(`${namespace}:{events:3}`, '1-0', 'v', '1');
  const { shards } = await queue();
  expect(shards.map(({ shard }: { shard: number }) => shard)).toEqual([0, 3]);
  expect(shards[1]).toMatchObject({ length: 1, consumers: [] });
  expect(shards[1].conservation.entries).toEqual({ added: 1, settled: 0, waiting: 1, orphaned: 0, drift: 0 });
  expect(shards[1].oldest_age_seconds).toBeGreaterThan(1_000_000);
  await redis.del(`${namespace}:{events:3}`);
});
