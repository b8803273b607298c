import type { Redis } from 'ioredis';
import type { Logger } from '@sluice/daemon/log/logger';
import { poll } from '@sluice/daemon/retry/poll';
import { FIND_SHARDS_MS, findShards } from './consumer-group.ts';
import { measureShard, timeOfEntry } from './measure-shard.ts';
import { readRedisMemory } from './redis-memory.ts';

/** How often the streams are measured, in milliseconds: requests read the last measurement only. */
const SAMPLE_MS = 500;

/** A measurement older than this no longer counts, in milliseconds. */
const STALE_MS = 5_000;

/** Time over which `drainRate` is measured, in milliseconds. */
const WINDOW_MS = 10_000;

/** What waits in the streams, and how fast it drains. */
export interface Backlog {
  readonly entries: number;
  readonly bytes: number;
  /** Age of the oldest entry, by Redis's clock; 0 for an empty queue. */
  readonly ageSeconds: number;
  /** Entries that left the streams per second, over the last ten seconds; null before there are two measurements. */
  readonly drainRate: number | null;
  /** Moving average over measurements with entries to drain; idle measurements are ignored. */
  readonly busyDrainRate: number | null;
  /** Memory of Redis, in bytes; its limit is 0 for none. */
  readonly usedMemory: number;
  readonly maxMemory: number;
}

/** Measures the backlog periodically. */
export interface BacklogMeter {
  /** The last measurement; null when it is older than `STALE_MS`. */
  readonly backlog: Backlog | null;
  stop(): Promise<void>;
}

/**
 * Starts measuring every shard that is in Redis, not only the configured ones: after STREAM_SHARDS was lowered, writers
 * still drain the others. Finding them takes a SCAN, so it runs as rarely as in the writers.
 *
 * @param options.onMeasuring called when a measurement begins: entries added from then on may or may not be in it
 * @param options.onMeasured called with each measurement
 */
export function startBacklogMeter(options: {
  redis: Redis;
  logger: Logger;
  namespace: string;
  shards: number;
  onMeasuring?: () => void;
  onMeasured?: (backlog: Backlog) => void;
}): BacklogMeter {
  const { redis, logger, namespace, shards } = options;
  let found: { readonly keys: readonly string[]; readonly at: number } | null = null;
  let last: Sample | null = null;
  let backlog: Backlog | null = null;
  let window: readonly Sample[] = [];

  async function shardKeys(): Promise<readonly string[]> {
    if (found === null || performance.now() - found.at >= FIND_SHARDS_MS) {
      found = { keys: await findShards(redis, namespace, shards), at: performance.now() };
    }
    return found.keys;
  }

  async function measure(): Promise<void> {
    const keys = await shardKeys();
    options.onMeasuring?.();
    const { removed, ...now } = await measureStreams(redis, keys);
    const sample = nextSample(last, { at: performance.now(), removed, entries: now.entries });
    window = [...window.filter(({ at }) => at >= sample.at - WINDOW_MS), sample];
    backlog = {
      ...now,
      drainRate: rateOver(window),
      busyDrainRate: nextBusyRate(backlog?.busyDrainRate ?? null, last, sample),
    };
    last = sample;
    options.onMeasured?.(backlog);
  }

  const measuring = poll({
    everyMs: SAMPLE_MS,
    turn: measure,
    // Requests (503), /health and /ready report that Redis is away.
    onFailing: (error) => logger.debug({ error }, 'backlog cannot be measured'),
  });
  const onReady = (): void => {
    // The server may be another one.
    found = null;
    void measuring.now();
  };
  redis.on('ready', onReady);

  return {
    get backlog() {
      return last === null || performance.now() - last.at > STALE_MS ? null : backlog;
    },
    async stop() {
      redis.off('ready', onReady);
      await measuring.stop();
    },
  };
}

/** One measurement, with what had left the streams by then. */
interface Sample {
  /** `performance.now()` */
  readonly at: number;
  /** Entries in the streams. */
  readonly entries: number;
  /** Entries that ever left, by shard. */
  readonly removed: ReadonlyMap<string, number>;
  /** Entries seen to leave since the meter started, over all shards. */
  readonly drained: number;
}

async function measureStreams(redis: Redis, keys: readonly string[]) {
  const sizes = await Promise.all(keys.map(async (key) => ({ key, ...(await measureShard(redis, key)) })));
  const times = sizes.flatMap(({ oldestId }) => (oldestId === null ? [] : [timeOfEntry(oldestId)]));
  // Entries carry the time of Redis's own clock.
  const [seconds, microseconds] = await redis.time();
  const now = Number(seconds) * 1_000 + Number(microseconds) / 1_000;
  const memory = await readRedisMemory(redis);
  return {
    entries: sizes.reduce((sum, { length }) => sum + length, 0),
    bytes: sizes.reduce((sum, { bytes }) => sum + bytes, 0),
    ageSeconds: times.length === 0 ? 0 : Math.max(0, now - Math.min(...times)) / 1_000,
    removed: new Map(sizes.map(({ key, added, length }) => [key, added - length])),
    usedMemory: memory.used,
    maxMemory: memory.max,
  };
}

/** Adds what has left since the previous sample. A shard that is new or was recreated (FLUSHALL) adds nothing. */
function nextSample(before: Sample | null, now: Omit<Sample, 'drained'>): Sample {
  let drained = before?.drained ?? 0;
  for (const [key, removed] of now.removed) {
    drained += Math.max(0, removed - (before?.removed.get(key) ?? removed));
  }
  return { ...now, drained };
}

function rateOver(window: readonly Sample[]): number | null {
  const [first] = window;
  const last = window.at(-1);
  if (first === undefined || last === undefined || last.at <= first.at) return null;
  return ((last.drained - first.drained) * 1_000) / (last.at - first.at);
}

function nextBusyRate(rate: number | null, before: Sample | null, now: Sample): number | null {
  if (before === null || now.at <= before.at) return rate;
  const drained = now.drained - before.drained;
  if (before.entries === 0 && drained === 0) return rate;
  const perSecond = (drained * 1_000) / (now.at - before.at);
  return rate === null ? perSecond : rate * 0.7 + perSecond * 0.3;
}
