import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { startTestDaemon } from '@sluice/testkit/test-daemon';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import { testNamespace } from '@sluice/testkit/test-namespace';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase({ empty: true });
});
afterAll(() => database.drop());

it('a worker that starts before any writer prepares the database, and logs no warning', async () => {
  const worker = await startTestDaemon('maintenance-worker', {
    REDIS_URL: inject('redisUrl'),
    SLUICE_NAMESPACE: testNamespace(),
    DATABASE_URL: database.url,
  });
  await expect
    .poll(() => worker.log().some((line) => line['job'] === 'fold-rollups' && line['msg'] === 'job done'), {
      timeout: 180_000,
    })
    .toBe(true);
  await worker.stop();
  expect(worker.log().filter((line) => Number(line['level']) >= 40)).toEqual([]);
});
