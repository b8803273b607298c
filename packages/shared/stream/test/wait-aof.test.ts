import type { Redis } from 'ioredis';
import { afterAll, describe, expect, inject, it } from 'vitest';
import { createLogger } from '@sluice/daemon/log/logger';
import { needs } from '@sluice/testkit/needs';
import { testNamespace } from '@sluice/testkit/test-namespace';
import { connectRedis, waitForRedis } from '../src/connect-redis.ts';
import { planDurability, readRedisSettings, type RedisSettings } from '../src/durability.ts';
import { streamKey } from '../src/stream-keys.ts';
import { createStreamProducer, NotDurableError } from '../src/stream-producer.ts';

/** `appendfsync everysec` may take two seconds. */
const WAIT_MS = 5_000;
const logger = createLogger({ daemon: 'test', version: '0', level: 'fatal' });
const namespace = testNamespace();
const key = streamKey(namespace, 0);
const entry = ['v', '1', 'h', '{}', 'b', 'event'];
// Asked before the tests are collected, because whether they can run depends on it.
const redis: Redis = connectRedis(inject('redisUrl'), { name: 'test', logger, commandTimeoutMs: 2 * WAIT_MS });
await waitForRedis(redis, 10_000);
const settings: RedisSettings = await readRedisSettings(redis);
const [major = 0, minor = 0] = settings.version.split('.').map(Number);
const hasWaitAof = major > 7 || (major === 7 && minor >= 2);

/** Waits for an fsync after each write, also on a server that fsyncs before it answers. */
function producer(local: number, replicas: number, waitTimeoutMs: number) {
  const plan = { level: 'fsync', waitAof: { local, replicas }, warning: null } as const;
  return createStreamProducer({ redis, waiting: redis, namespace, shards: 1, plan: () => plan, waitTimeoutMs });
}

async function waitAofCalls(): Promise<number> {
  return Number(/cmdstat_waitaof:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1] ?? 0);
}

if (!hasWaitAof) {
  // No hook runs in a file whose tests are all skipped.
  redis.disconnect();
}
afterAll(async () => {
  await redis.del(key);
  redis.disconnect();
});

const missing = needs(`Redis ${settings.version} is older than 7.2 and has no WAITAOF`);

describe.skipIf(!hasWaitAof)('a batch on a Redis with WAITAOF', missing, () => {
  it('uses WAITAOF where Redis answers before it fsyncs', () => {
    const everysec = { ...settings, appendonly: true, appendfsync: 'everysec' };
    expect(planDurability('fsync', everysec, 1).waitAof).toEqual({ local: 1, replicas: 0 });
    expect(planDurability('fsync', { ...everysec, appendfsync: 'no' }, 1).level).toBe('memory');
  });
  it('shares its wait with batches that arrive meanwhile, and each gets its own ids', async () => {
    const before = await waitAofCalls();
    const grouped = producer(1, 0, WAIT_MS);
    const ids = await Promise.all(Array.from({ length: 100 }, () => grouped.add([entry, entry])));
    expect((await redis.xrange(key, '-', '+')).map(([id]) => id)).toEqual(ids.flat());
    expect((await waitAofCalls()) - before).toBeLessThan(10);
  });
  it('is refused in time when a replica is missing', async () => {
    await expect(producer(1, 9, 300).add([entry])).rejects.toThrow(NotDurableError);
  });
});
