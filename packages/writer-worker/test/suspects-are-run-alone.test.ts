import { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, inject, it } from 'vitest';
import type { Logger } from '@sluice/daemon/log/logger';
import { createMetrics } from '@sluice/daemon/telemetry/metrics';
import { connectBlockingRedis } from '@sluice/stream/connect-redis';
import { streamKey } from '@sluice/stream/stream-keys';
import { makeEvents } from '@sluice/testkit/make-event';
import { testNamespace } from '@sluice/testkit/test-namespace';
import { BatchBuffer } from '../src/batch/batch-buffer.ts';
import { Breaker } from '../src/batch/breaker.ts';
import type { Outcome } from '../src/batch/outcome.ts';
import { consume } from '../src/fetch/consumer.ts';
import { Progress } from '../src/watch/progress.ts';
import { createWriterMetrics } from '../src/watch/writer-metrics.ts';
import { newWriterState } from '../src/watch/writer-state.ts';
import { enqueue } from './fixtures/enqueue.ts';

const SETTLED: Outcome = { kind: 'settled', written: { stored: 1, duplicates: 0, dead: 0, letters: [] } };
const PATIENCE = { timeout: 180_000, interval: 20 };
const silent = (): void => {};
const logger = { debug: silent, info: silent, warn: silent, error: silent } as unknown as Logger;

let redis: Redis;
let namespace: string;
beforeEach(() => {
  namespace = testNamespace();
  redis = new Redis(inject('redisUrl'), { replyMapping: 'legacy' });
});
afterEach(async () => {
  await redis.del(streamKey(namespace, 0), streamKey(namespace, 1));
  redis.disconnect();
});

it('entries of another shard wait until the suspect is done', async () => {
  const [shard, otherShard] = [streamKey(namespace, 0), streamKey(namespace, 1)];
  const readers = new Map<string, Redis>();
  const stopFetching = new AbortController();
  const state = newWriterState();
  const progress = new Progress();
  const limits = { maxEvents: 500, maxBytes: 4_000_000, lingerMs: 0 };
  const buffer = new BatchBuffer(limits);
  const breaker = new Breaker(stopFetching.signal);
  const processed: string[] = [];
  const runsAlone = Promise.withResolvers<string>();
  const endOfSuspect = Promise.withResolvers<Outcome>();
  const processedOther = Promise.withResolvers<void>();
  const consuming = consume({
    redis,
    openBlocking(key) {
      const reader = connectBlockingRedis(inject('redisUrl'), { name: key, logger });
      readers.set(key, reader);
      return reader;
    },
    logger,
    state,
    metrics: createWriterMetrics(createMetrics('test'), {
      state,
      breaker,
      buffer,
      progress,
      known: { bytes: 0, uncovered: 0 },
    }),
    progress,
    buffer,
    namespace,
    shards: 2,
    consumer: 'writer-1',
    concurrency: 2,
    limits,
    reclaimIdleMs: 3_600_000,
    deliveryLimit: 1,
    isShut: () => false,
    stopFetching: stopFetching.signal,
    runAlone({ id }) {
      runsAlone.resolve(id);
      return endOfSuspect.promise;
    },
    async process({ entries }) {
      processed.push(...entries.map(({ id }) => id));
      processedOther.resolve();
      return SETTLED;
    },
  });

  const blocked = async (): Promise<string[]> =>
    String(await redis.client('LIST'))
      .split('\n')
      .filter((line) => line.includes(' flags=b ') && line.includes(` name=sluice:${namespace}:`));
  await expect.poll(blocked, PATIENCE).toHaveLength(2);
  // An entry whose delivery to this writer was lost with the connection; the reconnect makes it check.
  const [, given] = (await redis
    .multi()
    .xadd(shard, '*', 'v', '1')
    .xreadgroup('GROUP', 'writers', 'writer-1', 'STREAMS', shard, '>')
    .exec())!;
  const [[, [[suspect]]]] = given![1] as [[string, [[string]]]];
  readers.get(shard)!.disconnect(true);
  expect(await runsAlone.promise).toBe(suspect);

  const signs = progress.signs;
  const other = await enqueue({ redis, stream: otherShard }, makeEvents(1));
  await expect.poll(() => progress.signs, PATIENCE).toBeGreaterThan(signs);
  expect(processed).toEqual([]);
  expect(buffer.events).toBe(0);
  endOfSuspect.resolve(SETTLED);
  await processedOther.promise;
  expect(processed).toEqual([other]);
  stopFetching.abort();
  await consuming;
});
