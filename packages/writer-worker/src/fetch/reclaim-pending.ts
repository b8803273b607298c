import type { Redis } from 'ioredis';
import type { RawEntry } from '@sluice/store/write/decode-entry';
import { WRITERS_GROUP } from '@sluice/stream/stream-keys';
import { type StreamReply, toRawEntries } from './read-shard.ts';

/** Most entries that one call takes over; each is held in memory until it is stored. */
const CLAIM_COUNT = 100;

/** What one pass over the pending entries of a shard found. */
export interface Reclaimed {
  readonly entries: readonly RawEntry[];
  /** Ids that were pending but are no longer in the stream: entries were trimmed or deleted by hand before their settling. */
  readonly deleted: readonly string[];
  /** Where the next pass starts; `0-0` when all have been checked. */
  readonly next: string;
}

/**
 * Takes over entries that another writer has held for longer than `minIdleMs`, because it died or hangs.
 *
 * @param start `0-0`, or `next` of the call before
 */
export async function reclaimPending(
  redis: Redis,
  key: string,
  consumer: string,
  minIdleMs: number,
  start: string,
): Promise<Reclaimed> {
  const reply = (await redis.callBuffer(
    'XAUTOCLAIM',
    key,
    WRITERS_GROUP,
    consumer,
    minIdleMs,
    start,
    'COUNT',
    CLAIM_COUNT,
  )) as [Buffer, StreamReply, Buffer[]?];
  const [next, entries, deleted = []] = reply;
  return { entries: toRawEntries(key, entries), deleted: deleted.map(String), next: next.toString() };
}
