import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, inject, it, vi } from 'vitest';
import { scrape } from '@sluice/testkit/scrape';
import { startTcpProxy, type TcpProxy } from '@sluice/testkit/tcp-proxy';
import { startTestDaemon, type TestDaemon } from '@sluice/testkit/test-daemon';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import { testNamespace } from '@sluice/testkit/test-namespace';

const PATIENCE = { timeout: 180_000, interval: 100 };
const OF_POSTGRES = [
  'sluice_job_stale',
  'sluice_fence_age_seconds',
  'sluice_segments',
  'sluice_segments_missing',
  'sluice_hot_segment_events',
  'sluice_hot_segment_fill_ratio',
  'sluice_closed_segment_age_seconds',
  'sluice_dead_letters_open',
];

/** A scrape that takes this long waits for Postgres, in milliseconds: connecting is given up after five seconds. */
const TOO_LONG_MS = 4_000;
let unanswered = 0;

let database: TestDatabase;
let proxy: TcpProxy;
let worker: TestDaemon;
beforeAll(async () => {
  database = await createTestDatabase();
  proxy = await startTcpProxy(Number(new URL(database.url).port));
  worker = await startTestDaemon('maintenance-worker', {
    DATABASE_URL: proxy.through(database.url),
    REDIS_URL: inject('redisUrl'),
    SLUICE_NAMESPACE: testNamespace(),
    ENABLE_BACKGROUND_TASKS: 'false',
    // A connection without an answer is given up this and five seconds later; no scrape may wait for that.
    STATEMENT_TIMEOUT_MS: '15000',
  });
});
afterAll(async () => {
  await worker.stop();
  await proxy.close();
  await database.drop();
});

/** Those of Postgres's metrics that have a sample; a scrape must answer, whatever is away. */
async function shown(): Promise<string[]> {
  const late = new AbortController();
  const limit = delay(TOO_LONG_MS, null, { signal: late.signal }).catch(() => null);
  const seen = await Promise.race([scrape(worker.url), limit]);
  late.abort();
  if (seen === null) {
    unanswered += 1;
    throw new Error('/metrics hangs');
  }
  expect(seen.value('sluice_build_info')).toBe(1);
  expect(seen.value('sluice_job_runs_total', { job: 'rotate-segments', state: 'failed' })).toBe(0);
  return OF_POSTGRES.filter((name) => new RegExp(`^${name}[ {]`, 'm').test(seen.text));
}

it('a read that waits for a lock is given up, and does not cost the others', async () => {
  await vi.waitFor(async () => expect(await shown()).toEqual(OF_POSTGRES), PATIENCE);
  const client = await database.connect();
  try {
    await client.query('BEGIN');
    await client.query('LOCK TABLE dead_letters IN ACCESS EXCLUSIVE MODE');
    const others = OF_POSTGRES.filter((name) => name !== 'sluice_dead_letters_open');
    await vi.waitFor(async () => expect(await shown()).toEqual(others), PATIENCE);
  } finally {
    await client.query('ROLLBACK');
    await client.end();
  }
  await vi.waitFor(async () => expect(await shown()).toEqual(OF_POSTGRES), PATIENCE);
  expect(unanswered).toBe(0);
});

it('a Postgres that hangs: its metrics are absent and the others are there, until it is back', async () => {
  await vi.waitFor(async () => expect(await shown()).toEqual(OF_POSTGRES), PATIENCE);
  // Much longer than a scrape may take: each byte is under way for an hour.
  proxy.slowDown(3_600_000);
  // What was seen before is good for two seconds.
  await vi.waitFor(async () => expect(await shown()).toEqual([]), PATIENCE);
  expect(await shown()).toEqual([]);
  proxy.slowDown(0);
  proxy.loseConnections();
  await vi.waitFor(async () => expect(await shown()).toEqual(OF_POSTGRES), PATIENCE);
  expect(unanswered).toBe(0);
});
