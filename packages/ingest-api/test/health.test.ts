import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { get } from '@sluice/testkit/http';
import { startIngest, type TestIngest } from '@sluice/testkit/ingest';
import { type OwnServer, ownRedis } from '@sluice/testkit/own-servers';
import { answeredPromptly } from './fixtures/answered-promptly.ts';

let server: OwnServer;
let ingest: TestIngest;

beforeAll(async () => {
  server = await ownRedis();
  ingest = await startIngest({ API_KEY: 'k' }, { redisUrl: server.url });
});
afterAll(async () => {
  await ingest.stop();
  await server.remove();
});

const PATIENCE = { interval: 20, timeout: 180_000 };

it('/health shows each check and its details, without a key', async () => {
  // The backlog is measured on its own connection, which may be ready later.
  const { body } = await vi.waitFor(async () => {
    const answer = await get(`${ingest.url}/health`);
    expect(answer.body.status).toBe('healthy');
    return answer;
  }, PATIENCE);
  expect(body).toEqual({
    status: 'healthy',
    version: expect.stringMatching(/^\d+\.\d+\.\d+/) as unknown,
    uptime_seconds: expect.any(Number) as unknown,
    timestamp: expect.stringMatching(/Z$/) as unknown,
    checks: { redis: 'ok', durability: 'ok', eviction: 'ok', authentication: 'ok', queue: 'ok' },
    details: {
      redis: { version: expect.stringMatching(/^\d+\.\d+/) as unknown },
      durability: { wanted: 'fsync', reached: 'fsync', warning: null },
      eviction: { maxmemory_policy: 'noeviction' },
      authentication: { stored_keys_known: false },
      queue: {
        entries: 0,
        bytes: 0,
        oldest_age_seconds: 0,
        drain_rate_per_second: null,
        redis_used_memory_bytes: expect.any(Number) as unknown,
        redis_max_memory_bytes: expect.any(Number) as unknown,
      },
    },
  });
});

it('with Redis gone /health and /ready are 503 within two seconds, /live is not, and both recover when it is back', async () => {
  await server.stop('immediate');
  const health = await vi.waitFor(async () => {
    const answer = await get(`${ingest.url}/health`);
    expect(answer.status).toBe(503);
    return answer;
  }, PATIENCE);
  expect(health.body).toMatchObject({ status: 'unhealthy', checks: { redis: 'failed' } });
  expect(health.body.details.redis.error).toMatch(/\w/);
  const ready = await answeredPromptly(() => get(`${ingest.url}/ready`));
  expect([ready.status, ready.body]).toEqual([
    503,
    {
      ready: false,
      failed: ['redis'],
      reasons: { redis: expect.stringMatching(/^Redis cannot be reached: /) as string },
    },
  ]);
  const live = await get(`${ingest.url}/live`);
  expect([live.status, live.body]).toEqual([200, { alive: true }]);
  // A measurement from before the outage is not shown as current.
  const stale = await vi.waitFor(async () => {
    const { checks, details } = (await get(`${ingest.url}/health`)).body;
    expect(checks.queue).toBe('failed');
    return details.queue;
  }, PATIENCE);
  expect(stale).toEqual({ error: 'the backlog cannot be measured' });

  await server.start();
  await vi.waitFor(async () => expect((await get(`${ingest.url}/health`)).body.status).toBe('healthy'), PATIENCE);
  expect((await get(`${ingest.url}/ready`)).body).toEqual({ ready: true, failed: [] });
});

it('started before Redis, it answers that it is not ready, and becomes ready by itself', async () => {
  await server.stop();
  const early = await startIngest({ API_KEY: 'k' }, { redisUrl: server.url });
  expect((await get(`${early.url}/live`)).status).toBe(200);
  expect((await get(`${early.url}/ready`)).status).toBe(503);
  expect((await get(`${early.url}/health`)).body.checks).toMatchObject({ redis: 'failed', durability: 'failed' });
  await server.start();
  await vi.waitFor(async () => expect((await get(`${early.url}/health`)).body.status).toBe('healthy'), PATIENCE);
  await early.stop();
});
