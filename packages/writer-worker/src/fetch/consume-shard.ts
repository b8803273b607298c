import type { Redis } from 'ioredis';
import type { Logger } from '@sluice/daemon/log/logger';
import { backoffDelay } from '@sluice/daemon/retry/backoff';
import { waitOrAbort } from '@sluice/daemon/retry/wait-or-abort';
import { messageOf } from '@sluice/errors/message-of';
import type { RawEntry } from '@sluice/store/write/decode-entry';
import { refusalOf } from '@sluice/stream/redis-refusal';
import type { Progress } from '../watch/progress.ts';
import type { WriterMetrics } from '../watch/writer-metrics.ts';
import type { WriterState } from '../watch/writer-state.ts';
import { deliveryCounts } from './delivery-counts.ts';
import { KnownStream } from './known-stream.ts';
import { readNewEntries, readOwnPending, type ShardReading } from './read-shard.ts';
import { reclaimPending } from './reclaim-pending.ts';
import type { GroupLoss } from './restore-group.ts';
import { startOfServer } from './start-of-server.ts';
import { takeBackOrphans } from './take-back-orphans.ts';

/** Longest wait for new entries, in milliseconds. A stop cuts it short. */
const BLOCK_MS = 5_000;

/**
 * Reads one shard until `stopFetching`. It reads first what a crash of this consumer left pending, then new entries. Now and
 * then it takes over what other writers have held too long, and takes back what no consumer holds. An outage of Redis does
 * not end it: reading is retried. After each error it reads its own pending entries first, because a lost reply leaves its
 * entries pending.
 */
export async function consumeShard(options: ShardOptions): Promise<void> {
  const { key, logger, progress, state, stopFetching, reclaimIdleMs } = options;
  const known = new KnownStream();
  const doing = `reading ${key}`;
  let failures = 0;
  let reclaimAt = performance.now() + reclaimIdleMs / 2;
  let recovered = false;
  let hasRead = false;
  const reading: ShardReading = {
    ...options,
    known,
    onGroupGone(loss) {
      // A shard that never had a group (one above a lowered STREAM_SHARDS) has lost nothing.
      if (hasRead) reportGroupGone(loss, options);
    },
  };
  while (!stopFetching.aborted) {
    try {
      if (!recovered) {
        known.reconnected(await startOfServer(options.redis));
        await readBacklogOfThisConsumer(options, reading);
        await takeBack(options, known);
      }
      recovered = true;
      if (performance.now() >= reclaimAt) {
        await reclaimFromOthers(options);
        await takeBack(options, known);
        reclaimAt = performance.now() + reclaimIdleMs / 2;
      }
      const count = await options.room();
      if (stopFetching.aborted) return;
      // After a failure the first read does not wait: whether reading works again is known at once.
      const blockMs = failures > 0 ? 1 : Math.max(1, Math.min(BLOCK_MS, Math.floor(reclaimIdleMs / 2)));
      const entries = await progress.during('read', { stream: key }, () =>
        readNewEntries(options.blocking, reading, count, blockMs),
      );
      known.read(entries);
      hasRead = true;
      entries.forEach(options.accept);
      failures = 0;
      state.redisFailures.worked(doing);
    } catch (error) {
      if (stopFetching.aborted) return;
      progress.moved();
      known.failed(refusalOf(error) !== null);
      failures += 1;
      recovered = false;
      if (failures === 1) logger.warn({ shard: key, error: messageOf(error) }, 'reading failed; retrying');
      state.redisFailures.failed(doing, error);
      await waitOrAbort(backoffDelay({ initialMs: 50, maxMs: 1_000 }, failures), stopFetching);
    }
  }
}

/** What one shard's reader works with. */
export interface ShardOptions {
  readonly key: string;
  readonly consumer: string;
  /** A connection of its own: a blocking read holds up every command after it. */
  readonly blocking: Redis;
  readonly redis: Redis;
  readonly logger: Logger;
  readonly metrics: Pick<WriterMetrics, 'reclaimed' | 'takenBack' | 'lost' | 'streamLost'>;
  readonly state: Pick<WriterState, 'redisFailures'>;
  readonly progress: Progress;
  readonly stopFetching: AbortSignal;
  readonly reclaimIdleMs: number;
  /** Resolves with how many entries may be read now; waits while the writer is full. */
  readonly room: () => Promise<number>;
  /** Takes an entry into work. The same id may come again; it is ignored while the first is in work. */
  readonly accept: (entry: RawEntry) => void;
  /** Takes an entry that was delivered more than `deliveryLimit` times, to be run alone. */
  readonly suspect: (entry: RawEntry) => void;
  /** Whether an entry of this shard is in work, so that it is stored whatever becomes of the stream. */
  readonly holds: (id: string) => boolean;
  readonly deliveryLimit: number;
}

async function readBacklogOfThisConsumer(options: ShardOptions, reading: ShardReading): Promise<void> {
  let after = '0';
  while (!options.stopFetching.aborted) {
    const count = await options.room();
    if (options.stopFetching.aborted) return;
    const { entries, last } = await readOwnPending(options.redis, reading, count, after);
    await acceptDeliveredBefore(entries, options);
    if (last === null) return;
    after = last;
  }
}

async function reclaimFromOthers(options: ShardOptions): Promise<void> {
  let start = '0-0';
  do {
    await options.room();
    if (options.stopFetching.aborted) return;
    const { entries, deleted, next } = await reclaimPending(
      options.redis,
      options.key,
      options.consumer,
      options.reclaimIdleMs,
      start,
    );
    options.progress.moved();
    const lost = deleted.filter((id) => !options.holds(id));
    options.metrics.lost(lost.length);
    options.metrics.reclaimed(entries.length);
    if (lost.length > 0) {
      options.logger.error(
        { shard: options.key, lost },
        'LOST: entries were deleted from the stream before they were stored',
      );
    }
    if (entries.length > 0)
      options.logger.warn({ shard: options.key, entries: entries.length }, 'took over entries of another writer');
    await acceptDeliveredBefore(entries, options);
    start = next;
  } while (start !== '0-0');
}

/**
 * Takes back orphaned entries, in bounded steps. Reading continues when that fails: a role that may not run scripts can
 * still read.
 */
async function takeBack(options: ShardOptions, known: KnownStream): Promise<void> {
  const { redis, key, consumer, logger, metrics, progress, state, stopFetching } = options;
  const doing = `taking back entries of ${key}`;
  let total = 0;
  try {
    let from: string | null = null;
    do {
      const count = await options.room();
      if (stopFetching.aborted) break;
      const { entries, next, added, lastId } = await takeBackOrphans(redis, key, consumer, count, from);
      progress.moved();
      if (lastId !== null && known.isOlder(lastId)) {
        reportOlder(lastId, options, known.isDrained);
        known.became(added, lastId);
      }
      known.checked(added);
      metrics.takenBack(entries.length);
      total += entries.length;
      await acceptDeliveredBefore(entries, options);
      from = next;
    } while (from !== null);
    state.redisFailures.worked(doing);
  } catch (error) {
    state.redisFailures.failed(doing, error);
    logger.warn({ shard: key, error: messageOf(error) }, 'entries that no consumer held were not taken back');
  }
  if (total > 0) logger.warn({ shard: key, entries: total }, 'entries that no consumer held were taken back');
}

function reportGroupGone(loss: GroupLoss, { key, logger, metrics }: ShardOptions): void {
  if (loss === 'destroyed') {
    logger.warn({ shard: key }, 'consumer group was destroyed; made again, nothing lost');
  } else if (loss === 'drained') {
    logger.warn({ shard: key }, 'the stream was deleted after all of it was read; made again, nothing lost');
  } else {
    metrics.streamLost();
    logger.error(
      { shard: key },
      'LOST: the stream was deleted or Redis was emptied; what was in it and not stored is gone. Reading continues',
    );
  }
}

/** Reports a stream that lacks entries which this writer was given. */
function reportOlder(lastId: string, { key, logger, metrics }: ShardOptions, isDrained: boolean): void {
  if (isDrained) {
    logger.warn(
      { shard: key, lastId },
      'Redis came back with an older state of the stream; all of it was read, nothing lost',
    );
  } else {
    metrics.streamLost();
    logger.error(
      { shard: key, lastId },
      'LOST: Redis came back with an older state of the stream; what was added since and not stored is gone',
    );
  }
}

/** Accepts redelivered entries. One over the delivery limit is treated as a suspect: its readers may have crashed on it. */
async function acceptDeliveredBefore(entries: readonly RawEntry[], options: ShardOptions): Promise<void> {
  const counts = await deliveryCounts(options.redis, options.key, options.consumer, entries);
  for (const entry of entries) {
    if ((counts.get(entry.id) ?? 0) > options.deliveryLimit) options.suspect(entry);
    else options.accept(entry);
  }
}
