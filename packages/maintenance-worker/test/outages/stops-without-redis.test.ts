import { afterAll, beforeAll, expect, it } from 'vitest';
import { type OwnServer, ownRedis } from '@sluice/testkit/own-servers';
import { startTestDaemon } from '@sluice/testkit/test-daemon';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';

let redis: OwnServer;
let database: TestDatabase;
beforeAll(async () => {
  [redis, database] = await Promise.all([ownRedis(), createTestDatabase()]);
});
afterAll(async () => {
  await redis.remove();
  await database.drop();
});

it('an ordered stop ends in order though Redis hangs', async () => {
  const worker = await startTestDaemon('maintenance-worker', {
    REDIS_URL: redis.url,
    DATABASE_URL: database.url,
    SHUTDOWN_TIMEOUT_MS: '3000',
  });
  await expect.poll(() => worker.log().some((line) => line['msg'] === 'job done'), { timeout: 180_000 }).toBe(true);
  process.kill(redis.pid(), 'SIGSTOP');
  try {
    worker.kill('SIGTERM');
    expect((await worker.exited).code).toBe(0);
    expect(worker.log().at(-1)).toMatchObject({ msg: 'stopped' });
  } finally {
    process.kill(redis.pid(), 'SIGCONT');
  }
});
