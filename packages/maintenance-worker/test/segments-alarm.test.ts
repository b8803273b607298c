import { afterAll, beforeAll, expect, inject, it, vi } from 'vitest';
import { type Database, openDatabase } from '@sluice/store/database';
import { makeSegments } from '@sluice/store/layout/make-segment';
import { listSegments } from '@sluice/store/layout/segments';
import { get } from '@sluice/testkit/http';
import { startTestDaemon, type TestDaemon } from '@sluice/testkit/test-daemon';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import { testNamespace } from '@sluice/testkit/test-namespace';
import { checkSegmentsJob } from '../src/jobs/check-segments.ts';
import type { JobContext } from '../src/jobs/job.ts';

let database: TestDatabase;
let worker: TestDaemon;
beforeAll(async () => {
  database = await createTestDatabase();
  worker = await startTestDaemon('maintenance-worker', {
    DATABASE_URL: database.url,
    REDIS_URL: inject('redisUrl'),
    SLUICE_NAMESPACE: testNamespace(),
    ENABLE_BACKGROUND_TASKS: 'false',
  });
  // It makes missing segments at its start, and not later.
  await vi.waitFor(async () => expect((await get(`${worker.url}/ready`)).status).toBe(200), { timeout: 180_000 });
});
afterAll(async () => {
  await worker.stop();
  await database.drop();
});

const health = async () => (await get(`${worker.url}/health`)).body as Record<string, Record<string, unknown>>;

const opened = (): Database =>
  openDatabase({ url: database.url, poolSize: 1, statementTimeoutMs: 5_000, applicationName: 'test' });
const check = (on: Database, segmentEvents = 500_000) =>
  checkSegmentsJob.run({ database: on, config: { SEGMENT_EVENTS: segmentEvents } } as JobContext);

it('a missing segment, the next or the hot one, degrades the worker and fails the check, by name', async () => {
  await using stack = new AsyncDisposableStack();
  const on = stack.adopt(opened(), (each) => each.close());
  expect((await health())['checks']).toMatchObject({ segments: 'ok' });
  expect(await check(on)).toEqual({ rows: 0 });

  await database.query("UPDATE segments SET state = 'sealed' WHERE state = 'next'");
  expect(await health()).toMatchObject({
    status: 'degraded',
    checks: { segments: 'failed' },
    details: { segments: { missing: ['next'] } },
  });
  await expect(check(on)).rejects.toThrow('there is no next segment');

  // A rotation makes the next one in a moment.
  await database.query("UPDATE segments SET closed_at = now() - interval '20 seconds' WHERE state = 'sealed'");
  expect(await check(on)).toEqual({ rows: 0 });
  await database.query("UPDATE segments SET closed_at = now() - interval '40 seconds' WHERE state = 'sealed'");
  await expect(check(on)).rejects.toThrow('there is no next segment');

  // The row is there, the table is not.
  await database.query('DROP TABLE events_s1');
  expect((await health())['details']).toMatchObject({ segments: { missing: ['hot', 'next'] } });
  await expect(check(on)).rejects.toThrow(/there is no hot segment.*there is no next segment/);
  await database.query('DELETE FROM segments; DROP TABLE events_s2');
  await makeSegments(on);
  expect(await check(on)).toEqual({ rows: 0 });
});

it('more than twenty closed segments, and a hot one of four times its size, fail the check', async () => {
  await using stack = new AsyncDisposableStack();
  const on = stack.adopt(opened(), (each) => each.close());
  await database.query(
    `INSERT INTO segments (relation, segment_from, segment_to, state, closed_at)
     SELECT 'events_s' || n, n, n + 1, 'closed', now() FROM generate_series(1001, 1020) AS n`,
  );
  expect(await check(on)).toEqual({ rows: 0 });
  await database.query(
    `INSERT INTO segments (relation, segment_from, segment_to, state, closed_at) VALUES ('events_s2000', 2000, 2001, 'closed', now())`,
  );
  await expect(check(on)).rejects.toThrow('21 closed segments wait for seal-segments');
  expect((await health())['details']).toMatchObject({ segments: { closed: 21 } });
  await database.query("DELETE FROM segments WHERE state = 'closed'");

  await database.query(
    `INSERT INTO events (tenant, event_id, event_type, occurred_at, received_at, source, payload)
     SELECT 't', gen_random_uuid(), 'X', now(), now(), 's', '{}' FROM generate_series(1, 5000)`,
  );
  await database.query(`ANALYZE ${(await listSegments(on.db)).find(({ state }) => state === 'hot')!.relation}`);
  expect(await check(on, 1_300)).toEqual({ rows: 0 });
  await expect(check(on, 1_200)).rejects.toThrow(/the hot segment has about (5000|4999) events/);
});
