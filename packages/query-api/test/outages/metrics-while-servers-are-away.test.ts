import { afterAll, afterEach, beforeAll, expect, inject, it, vi } from 'vitest';
import { type OwnServer, ownPostgres, ownRedis } from '@sluice/testkit/own-servers';
import { runCommand } from '@sluice/testkit/run-command';
import { type Scrape, scrape } from '@sluice/testkit/scrape';
import { startTestDaemon, type TestDaemon } from '@sluice/testkit/test-daemon';

const PATIENCE = { timeout: 180_000, interval: 50 };

let redis: OwnServer;
let postgres: OwnServer;
let query: TestDaemon;
beforeAll(async () => {
  [redis, postgres] = await Promise.all([ownRedis({}, inject('runFolder')), ownPostgres({}, inject('runFolder'))]);
  // The check of Postgres asks for Sluice's tables.
  const migrated = await runCommand(
    import.meta.resolve('../../../maintenance-worker/src/migrate.ts').replace('file://', ''),
    [],
    {
      cwd: import.meta.dirname,
      env: { DATABASE_URL: postgres.url },
    },
  );
  expect(migrated.code, migrated.stderr).toBe(0);
  query = await startTestDaemon('query-api', { REDIS_URL: redis.url, DATABASE_URL: postgres.url });
});
afterAll(async () => {
  await query.stop();
  await Promise.all([redis.remove(), postgres.remove()]);
});

/** No scrape may fail, whatever is away. */
const failures: unknown[] = [];
afterEach(() => expect(failures).toEqual([]));

/** Scrapes until it is as expected. */
const until = (expected: (seen: Scrape) => void) =>
  vi.waitFor(async () => {
    const seen = await scrape(query.url).catch((error: unknown) => {
      failures.push(error);
      throw error;
    });
    expected(seen);
  }, PATIENCE);
const up = (seen: Scrape, dependency: string) => seen.value('sluice_dependency_up', { dependency });

const OF_REDIS = [
  'sluice_queue_entries',
  'sluice_queue_entries_added_total',
  'sluice_queue_events_settled_total',
  'sluice_queue_drift_entries',
  'sluice_redis_used_memory_bytes',
  'sluice_redis_max_memory_bytes',
];
const ofRedis = ({ text }: Scrape): string[] => OF_REDIS.filter((name) => new RegExp(`^${name}[ {]`, 'm').test(text));

it('a dependency is 0 while it is away and 1 when it is back; metrics of Redis are left out meanwhile', async () => {
  await until((seen) => {
    expect([up(seen, 'redis'), up(seen, 'postgres')]).toEqual([1, 1]);
    expect(ofRedis(seen)).toEqual(OF_REDIS);
  });
  // It runs without a key, which its /health calls degraded.
  expect(up(await scrape(query.url), 'authentication')).toBe(0);

  await redis.stop();
  await until((seen) => {
    expect([up(seen, 'redis'), up(seen, 'postgres')]).toEqual([0, 1]);
    expect(ofRedis(seen)).toEqual([]);
  });
  await postgres.stop('immediate');
  await until((seen) => expect([up(seen, 'redis'), up(seen, 'postgres')]).toEqual([0, 0]));

  await Promise.all([redis.start(), postgres.start()]);
  await until((seen) => {
    expect([up(seen, 'redis'), up(seen, 'postgres')]).toEqual([1, 1]);
    expect(ofRedis(seen)).toEqual(OF_REDIS);
  });
});

it('a Redis that hangs does not make a scrape hang', async () => {
  process.kill(redis.pid(), 'SIGSTOP');
  try {
    await until((seen) => {
      expect(up(seen, 'redis')).toBe(0);
      expect(ofRedis(seen)).toEqual([]);
    });
  } finally {
    process.kill(redis.pid(), 'SIGCONT');
  }
  await until((seen) => expect(up(seen, 'redis')).toBe(1));
});
