import type { Redis } from 'ioredis';
import { ApiError } from '@sluice/errors/api-errors';
import type { Logger } from '@sluice/daemon/log/logger';
import { poll } from '@sluice/daemon/retry/poll';
import { measureShard, timeOfEntry } from '@sluice/stream/measure-shard';
import { readRedisMemory } from '@sluice/stream/redis-memory';
import { streamKey } from '@sluice/stream/stream-keys';

/** Share of Redis's maxmemory at which ingest stops; the rest is for BullMQ and for draining. */
const MEMORY_SHARE = 0.8;

/** How often the backlog is measured, in milliseconds: requests look at the last measurement only. */
const SAMPLE_MS = 500;

/** A measurement older than this says nothing of now, in milliseconds. */
const STALE_MS = 5_000;

/** Bounds of Retry-After, in seconds, and what it is before anything is known of how fast writers are. */
const RETRY_AFTER = { min: 1, max: 60, unknown: 5 };

/** The backlog as it was measured last. */
export interface Backlog {
  readonly entries: number;
  readonly bytes: number;
  /** Age of the oldest entry, by Redis's clock; 0 for an empty queue. */
  readonly ageSeconds: number;
  /** Entries that left the streams per second while there were any, over the last samples; null before. */
  readonly drainRate: number | null;
  readonly usedMemory: number;
  readonly maxMemory: number;
}

/** How much may wait before ingest refuses more. */
export interface BacklogLimits {
  readonly maxBytes: number;
  readonly maxAgeSeconds: number;
}

/** Decides, without a round trip, whether a request may add to the backlog. */
export interface Admission {
  /** @throws ApiError `queue_full` with `retryAfter` */
  check(): void;
  /** Counts what was added since the last measurement: in half a second a burst brings tens of megabytes. */
  added(bytes: number): void;
  /** As it was measured last; null while that is longer ago than a few measurements. */
  readonly backlog: Backlog | null;
  stop(): Promise<void>;
}

/** Starts measuring the streams' backlog against its limits. */
export function startAdmission(options: {
  redis: Redis;
  logger: Logger;
  namespace: string;
  shards: number;
  limits: BacklogLimits;
}): Admission {
  const { redis, logger, limits } = options;
  const keys = Array.from({ length: options.shards }, (_, shard) => streamKey(options.namespace, shard));
  let backlog: Backlog | null = null;
  let previous: Mark | null = null;
  let addedBytes = 0;
  let full: { reason: string; retryAfter: number } | null = null;

  async function sample(): Promise<void> {
    addedBytes = 0;
    const measured = await measure(redis, keys);
    const now = { at: performance.now(), removed: measured.removed, entries: measured.entries };
    backlog = { ...measured, drainRate: nextDrainRate(backlog?.drainRate ?? null, previous, now) };
    previous = now;
    decide(backlog);
  }

  function decide(current: Backlog): void {
    const wasFull = full !== null;
    full = judge(current, limits);
    if (full !== null && !wasFull) logger.warn({ ...current, reason: full.reason }, 'queue is full: answering 429');
    if (full === null && wasFull) logger.info({ ...current }, 'queue has room again');
  }

  const sampling = poll({
    everyMs: SAMPLE_MS,
    turn: sample,
    // Redis being away is told by the requests themselves (503) and by /ready.
    onFailing: (error) => logger.debug({ error }, 'backlog cannot be measured'),
  });
  const onReady = (): void => void sampling.now();
  redis.on('ready', onReady);

  return {
    check() {
      if (full === null && backlog !== null && backlog.bytes + addedBytes > limits.maxBytes) {
        decide({ ...backlog, bytes: backlog.bytes + addedBytes });
      }
      if (full === null) return;
      // A little chance on top keeps clients that were refused together from coming back together.
      const retryAfter = full.retryAfter + Math.floor(Math.random() * (1 + full.retryAfter / 4));
      throw new ApiError('queue_full', `${full.reason} Try again in ${retryAfter} s.`, { retryAfter });
    },
    added(bytes) {
      addedBytes += bytes;
    },
    get backlog() {
      return previous === null || performance.now() - previous.at > STALE_MS ? null : backlog;
    },
    async stop() {
      redis.off('ready', onReady);
      await sampling.stop();
    },
  };
}

async function measure(redis: Redis, keys: readonly string[]) {
  let entries = 0;
  let bytes = 0;
  let removed = 0;
  let oldest = Number.POSITIVE_INFINITY;
  for (const key of keys) {
    const shard = await measureShard(redis, key);
    entries += shard.length;
    bytes += shard.bytes;
    removed += shard.added - shard.length;
    if (shard.oldestId !== null) oldest = Math.min(oldest, timeOfEntry(shard.oldestId));
  }
  const [seconds, microseconds] = await redis.time();
  const now = Number(seconds) * 1_000 + Number(microseconds) / 1_000;
  const memory = await readRedisMemory(redis);
  return {
    entries,
    bytes,
    ageSeconds: Math.max(0, (now - oldest) / 1_000),
    removed,
    usedMemory: memory.used,
    maxMemory: memory.max,
  };
}

function judge(
  backlog: Backlog,
  { maxBytes, maxAgeSeconds }: BacklogLimits,
): { reason: string; retryAfter: number } | null {
  const memoryLimit = backlog.maxMemory * MEMORY_SHARE;
  if (backlog.maxMemory > 0 && backlog.usedMemory > memoryLimit) {
    return { reason: 'Redis is close to its memory limit.', retryAfter: secondsToDrain(backlog, 0.1) };
  }
  if (backlog.bytes > maxBytes) {
    return {
      reason: 'The backlog is over its limit.',
      retryAfter: secondsToDrain(backlog, 1 - (maxBytes * 0.9) / backlog.bytes),
    };
  }
  if (backlog.ageSeconds > maxAgeSeconds) {
    return {
      reason: 'The oldest event has waited longer than its limit.',
      retryAfter: secondsToDrain(backlog, 1 - (maxAgeSeconds * 0.9) / backlog.ageSeconds),
    };
  }
  return null;
}

/** A point in time, with how many entries have left the streams until then, and how many are there. */
interface Mark {
  readonly at: number;
  readonly removed: number;
  readonly entries: number;
}

/** A moving average over samples in which there was something to drain: an idle hour says nothing of the writers. */
function nextDrainRate(rate: number | null, before: Mark | null, now: Mark): number | null {
  if (before === null || now.at <= before.at) return rate;
  const drained = Math.max(0, now.removed - before.removed);
  if (before.entries === 0 && drained === 0) return rate;
  const perSecond = (drained * 1_000) / (now.at - before.at);
  return rate === null ? perSecond : rate * 0.7 + perSecond * 0.3;
}

/** Time until this share of the backlog is gone at the measured rate, in whole seconds. */
function secondsToDrain(backlog: Backlog, share: number): number {
  if (backlog.drainRate === null) return RETRY_AFTER.unknown;
  const seconds = backlog.drainRate > 0 ? (backlog.entries * share) / backlog.drainRate : RETRY_AFTER.max;
  return Math.min(RETRY_AFTER.max, Math.max(RETRY_AFTER.min, Math.ceil(seconds)));
}
