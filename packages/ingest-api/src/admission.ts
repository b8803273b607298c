import { messageOf } from '@sluice/shared/errors/message-of';
import type { Redis } from 'ioredis';
import { ApiError } from '@sluice/shared/errors/api-errors';
import type { Logger } from '@sluice/shared/runtime/logger';
import { streamKey } from '@sluice/shared/stream/stream-keys';

/** Share of Redis's maxmemory at which ingest stops; the rest is for BullMQ and for draining. */
const MEMORY_SHARE = 0.8;

/** How often the backlog is measured, in milliseconds: requests look at the last measurement only. */
const SAMPLE_MS = 500;

/** Bounds of Retry-After, in seconds. */
const RETRY_AFTER = { min: 1, max: 300 };

/** The backlog as it was measured last. */
export interface Backlog {
  readonly entries: number;
  readonly bytes: number;
  /** Entries that left the streams per second, over the last samples. */
  readonly drainRate: number;
  readonly usedMemory: number;
  readonly maxMemory: number;
}

/** Decides, without a round trip, whether a request may add to the backlog. */
export interface Admission {
  /** @throws ApiError `queue_full` with `retryAfter` */
  check(): void;
  readonly backlog: Backlog | null;
  stop(): void;
}

/** Starts measuring the streams' backlog against its limits. */
export function startAdmission(options: {
  redis: Redis;
  logger: Logger;
  namespace: string;
  shards: number;
  maxBytes: number;
}): Admission {
  const { redis, logger, maxBytes } = options;
  const keys = Array.from({ length: options.shards }, (_, shard) => streamKey(options.namespace, shard));
  let backlog: Backlog | null = null;
  let previous: { at: number; removed: number } | null = null;
  let full: { reason: string; retryAfter: number } | null = null;

  async function sample(): Promise<void> {
    const measured = await measure(redis, keys);
    const now = performance.now();
    const seconds = previous === null ? 0 : (now - previous.at) / 1000;
    const drained = previous === null || seconds === 0 ? 0 : Math.max(0, measured.removed - previous.removed) / seconds;
    // A moving average, so that one quiet half second does not make the wait look endless.
    const drainRate = backlog === null ? drained : backlog.drainRate * 0.7 + drained * 0.3;
    previous = { at: now, removed: measured.removed };
    backlog = { ...measured, drainRate };
    const wasFull = full !== null;
    full = judge(backlog, maxBytes);
    if (full !== null && !wasFull) logger.warn({ ...backlog, reason: full.reason }, 'queue is full: answering 429');
    if (full === null && wasFull) logger.info({ ...backlog }, 'queue has room again');
  }

  const trySample = (): void => {
    // Redis being away is told by the requests themselves (503) and by /ready.
    sample().catch((error: Error) => logger.debug({ error: error.message }, 'backlog cannot be measured'));
  };
  redis.on('ready', trySample);
  const timer = setInterval(trySample, SAMPLE_MS).unref();

  return {
    check() {
      if (full === null) return;
      // A little chance on top keeps clients that were refused together from coming back together.
      const retryAfter = full.retryAfter + Math.floor(Math.random() * (1 + full.retryAfter / 4));
      throw new ApiError('queue_full', `${full.reason} Try again in ${retryAfter} s.`, { retryAfter });
    },
    get backlog() {
      return backlog;
    },
    stop: () => clearInterval(timer),
  };
}

async function measure(redis: Redis, keys: readonly string[]) {
  let entries = 0;
  let bytes = 0;
  let removed = 0;
  for (const key of keys) {
    const [length, added, size] = await Promise.all([
      redis.xlen(key),
      entriesAdded(redis, key),
      redis.memory('USAGE', key, 'SAMPLES', 5),
    ]);
    entries += length;
    bytes += size ?? 0;
    removed += added - length;
  }
  const info = await redis.info('memory');
  return {
    entries,
    bytes,
    removed,
    usedMemory: Number(/^used_memory:(\d+)/m.exec(info)?.[1] ?? 0),
    maxMemory: Number(/^maxmemory:(\d+)/m.exec(info)?.[1] ?? 0),
  };
}

/** `entries-added` of XINFO STREAM: how many entries there ever were. 0 for a stream that is not there yet. */
async function entriesAdded(redis: Redis, key: string): Promise<number> {
  try {
    const info = (await redis.xinfo('STREAM', key)) as unknown[];
    return Number(info[info.indexOf('entries-added') + 1] ?? 0);
  } catch (error) {
    if (/no such key/i.test(messageOf(error))) return 0;
    throw error;
  }
}

function judge(backlog: Backlog, maxBytes: number): { reason: string; retryAfter: number } | null {
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
  return null;
}

/** Time until this share of the backlog is gone at the measured rate, in whole seconds. */
function secondsToDrain(backlog: Backlog, share: number): number {
  const seconds = backlog.drainRate > 0 ? (backlog.entries * share) / backlog.drainRate : RETRY_AFTER.max;
  return Math.min(RETRY_AFTER.max, Math.max(RETRY_AFTER.min, Math.ceil(seconds)));
}
