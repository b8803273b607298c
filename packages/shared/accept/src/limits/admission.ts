import type { Redis } from 'ioredis';
import type { Logger } from '@sluice/daemon/log/logger';
import { ApiError } from '@sluice/errors/api-errors';
import { type Backlog, startBacklogMeter } from '@sluice/stream/backlog-meter';

/** Share of Redis's maxmemory above which ingest refuses. The rest is for BullMQ and for draining. */
const MEMORY_SHARE = 0.8;

/** Bounds of Retry-After, in seconds, and its value while the speed of the writers is unknown. */
const RETRY_AFTER = { min: 1, max: 60, unknown: 5 };

/** The backlog above which ingest refuses more. */
export interface BacklogLimits {
  readonly maxBytes: number;
  readonly maxAgeSeconds: number;
}

/** Decides, without a round trip, whether a request may add to the backlog. */
export interface Admission {
  /** @throws ApiError `queue_full` with `retryAfter` */
  check(): void;
  /** Counts what was added since the last measurement: a burst adds tens of megabytes in half a second. */
  added(bytes: number): void;
  /** The last measurement; null when it is older than a few intervals. */
  readonly backlog: Backlog | null;
  stop(): Promise<void>;
}

/** Measures the backlog of every shard in Redis again and again, and compares it with its limits. */
export function startAdmission(options: {
  redis: Redis;
  logger: Logger;
  namespace: string;
  shards: number;
  limits: BacklogLimits;
}): Admission {
  const { logger, limits } = options;
  /** The newest measurement, however old. With the bytes added since, it is the best estimate there is. */
  let newest: Backlog | null = null;
  let addedBytes = 0;
  let full: { reason: string; retryAfter: number } | null = null;
  const meter = startBacklogMeter({
    ...options,
    onMeasuring() {
      addedBytes = 0;
    },
    onMeasured(backlog) {
      newest = backlog;
      decide(backlog);
    },
  });

  function decide(current: Backlog): void {
    const wasFull = full !== null;
    full = judge(current, limits);
    if (full !== null && !wasFull) logger.warn({ ...current, reason: full.reason }, 'queue is full: answering 429');
    if (full === null && wasFull) logger.info({ ...current }, 'queue has room again');
  }

  return {
    check() {
      if (full === null && newest !== null && newest.bytes + addedBytes > limits.maxBytes) {
        decide({ ...newest, bytes: newest.bytes + addedBytes });
      }
      if (full === null) return;
      // Random extra time spreads the retries of clients that were refused together.
      const retryAfter = full.retryAfter + Math.floor(Math.random() * (1 + full.retryAfter / 4));
      throw new ApiError('queue_full', `${full.reason} Try again in ${retryAfter} s.`, { retryAfter });
    },
    added(bytes) {
      addedBytes += bytes;
    },
    get backlog() {
      return meter.backlog;
    },
    stop: () => meter.stop(),
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

/** Time until the writers have drained this share of the backlog at the measured rate, in whole seconds. */
function secondsToDrain(backlog: Backlog, share: number): number {
  const rate = backlog.busyDrainRate;
  if (rate === null) return RETRY_AFTER.unknown;
  const seconds = rate > 0 ? (backlog.entries * share) / rate : RETRY_AFTER.max;
  return Math.min(RETRY_AFTER.max, Math.max(RETRY_AFTER.min, Math.ceil(seconds)));
}
