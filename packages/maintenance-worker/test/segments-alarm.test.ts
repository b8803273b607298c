import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { openDatabase } from '@sluice/store/database';
import { partitionOf } from '@sluice/store/layout/partitions';
import { get } from '@sluice/testkit/http';
import { startTestDaemon, type TestDaemon } from '@sluice/testkit/test-daemon';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import { testNamespace } from '@sluice/testkit/test-namespace';
import { checkPartitionsJob } from '../src/jobs/check-partitions.ts';
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
});
afterAll(async () => {
  await worker.stop();
  await database.drop();
});

const health = async () => (await get(`${worker.url}/health`)).body as Record<string, Record<string, unknown>>;

it('a missing partition of this week or the next degrades the worker and fails the check, by name', async () => {
  const opened = openDatabase({ url: database.url, poolSize: 1, statementTimeoutMs: 5_000, applicationName: 'test' });
  const check = () => checkPartitionsJob.run({ database: opened } as JobContext);
  expect((await health())['checks']).toMatchObject({ partitions: 'ok' });
  expect(await check()).toEqual({ rows: 0 });

  const week = partitionOf(new Date());
  const next = partitionOf(week.to);
  await database.query(`ALTER TABLE events DETACH PARTITION ${next.name}`);
  expect(await health()).toMatchObject({
    status: 'degraded',
    checks: { partitions: 'failed' },
    details: { partitions: { missing: [next.name] } },
  });
  await expect(check()).rejects.toThrow(next.name);

  await database.query(`DROP TABLE ${week.name}`);
  expect((await health())['details']).toMatchObject({ partitions: { missing: [week.name, next.name] } });
  await expect(check()).rejects.toThrow(`${week.name} and ${next.name}`);
  await opened.close();
});
