import type { Redis } from 'ioredis';
import type { Logger } from '@sluice/daemon/log/logger';
import { poll } from '@sluice/daemon/retry/poll';
import { findShards } from '@sluice/stream/consumer-group';
import { measureShard, timeOfEntry } from '@sluice/stream/measure-shard';

/** How often the streams are looked at, in milliseconds. */
const SAMPLE_MS = 1_000;

/** Samples that the rate is taken over. */
const WINDOW = 10;

/** Knows how fast the writers drain the streams. */
export interface DrainMeter {
  /** Entries that left the streams per second, over the last ten seconds; null before there are two samples. */
  readonly ratePerSecond: number | null;
  /** Age of the oldest entry that is still in a stream, 0 without one; null while Redis can't be asked. */
  readonly oldestAgeSeconds: number | null;
  stop(): Promise<void>;
}

/** Starts measuring. */
export function startDrainMeter(options: {
  redis: Redis;
  logger: Logger;
  namespace: string;
  shards: number;
}): DrainMeter {
  const { redis, logger, namespace, shards } = options;
  let samples: { at: number; removed: number }[] = [];
  let oldestAgeSeconds: number | null = null;

  async function sample(): Promise<void> {
    const keys = await findShards(redis, namespace, shards);
    const sizes = await Promise.all(keys.map((key) => measureShard(redis, key)));
    const removed = sizes.reduce((sum, { added, length }) => sum + added - length, 0);
    // A stream that was made anew (FLUSHALL) counts from zero again.
    if (removed < (samples.at(-1)?.removed ?? 0)) samples = [];
    samples = [...samples.slice(-WINDOW), { at: performance.now(), removed }];
    const times = sizes.flatMap(({ oldestId }) => (oldestId === null ? [] : [timeOfEntry(oldestId)]));
    // Entries carry the time of Redis's own clock.
    const now = times.length === 0 ? 0 : Number((await redis.time())[0]) * 1000;
    oldestAgeSeconds = times.length === 0 ? 0 : Math.max(0, now - Math.min(...times)) / 1000;
  }
  const sampling = poll({
    everyMs: SAMPLE_MS,
    async turn() {
      try {
        await sample();
      } catch (error) {
        oldestAgeSeconds = null;
        throw error;
      }
    },
    // Redis being away is told by the requests themselves (503) and by /health.
    onFailing: (error) => logger.debug({ error }, 'the queue cannot be measured'),
  });
  const onReady = (): void => void sampling.now();
  redis.on('ready', onReady);

  return {
    get ratePerSecond() {
      const [first] = samples;
      const last = samples.at(-1);
      if (first === undefined || last === undefined || first === last) return null;
      return (last.removed - first.removed) / ((last.at - first.at) / 1000);
    },
    get oldestAgeSeconds() {
      return oldestAgeSeconds;
    },
    async stop() {
      redis.off('ready', onReady);
      await sampling.stop();
    },
  };
}
