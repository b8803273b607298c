import type { Redis } from 'ioredis';
import { messageOf } from '@sluice/errors/message-of';
import { WRITERS_GROUP } from './stream-keys.ts';

/** Size of one shard. */
export interface ShardSize {
  /** Entries in the stream. */
  readonly length: number;
  /** Entries that were ever added; `added - length` is how many have left. */
  readonly added: number;
  /** Bytes of memory, estimated from a few entries. */
  readonly bytes: number;
  /** Id of the oldest entry that a writer holds or will read; null when there is none. */
  readonly oldestId: string | null;
}

const NOTHING: ShardSize = { length: 0, added: 0, bytes: 0, oldestId: null };

/** Measures a shard. A shard that does not exist yet is empty. */
export async function measureShard(redis: Redis, key: string): Promise<ShardSize> {
  try {
    const [info, bytes, groups] = await Promise.all([
      redis.xinfo('STREAM', key) as Promise<unknown[]>,
      redis.memory('USAGE', key, 'SAMPLES', 5),
      redis.xinfo('GROUPS', key) as Promise<unknown[][]>,
    ]);
    const field = (name: string, of: unknown[] = info): unknown => of[of.indexOf(name) + 1];
    const group = groups.find((each) => field('name', each) === WRITERS_GROUP);
    const first = (field('first-entry') as [string] | null)?.[0] ?? null;
    return {
      length: Number(field('length')),
      added: Number(field('entries-added') ?? 0),
      bytes: bytes ?? 0,
      oldestId:
        first === null || group === undefined
          ? first
          : await oldestOfWriters(redis, key, first, String(field('last-delivered-id', group))),
    };
  } catch (error) {
    if (/no such key/i.test(messageOf(error))) return NOTHING;
    throw error;
  }
}

/**
 * The oldest entry that is pending or not delivered yet. An older one can be orphaned: its age says nothing about the
 * writers, and must not keep ingest from accepting.
 *
 * @param first id of the first entry in the stream
 */
async function oldestOfWriters(redis: Redis, key: string, first: string, delivered: string): Promise<string | null> {
  if (isAfter(first, delivered)) return first;
  try {
    const [, pending] = (await redis.xpending(key, WRITERS_GROUP)) as [number, string | null];
    if (pending !== null && !isAfter(pending, first)) return first;
    const [next] = await redis.xrange(key, `(${delivered}`, '+', 'COUNT', 1);
    const waiting = next?.[0] ?? null;
    return pending !== null && (waiting === null || isAfter(waiting, pending)) ? pending : waiting;
  } catch {
    // A role without XPENDING, or a group that has just been destroyed.
    return first;
  }
}

/** Whether an id is greater than another. */
export function isAfter(id: string, other: string): boolean {
  const [ms = 0n, sequence = 0n] = id.split('-').map(BigInt);
  const [otherMs = 0n, otherSequence = 0n] = other.split('-').map(BigInt);
  return ms > otherMs || (ms === otherMs && sequence > otherSequence);
}

/** When an entry was added, in milliseconds since 1970 by Redis's clock. */
export function timeOfEntry(id: string): number {
  return Number(id.split('-')[0]);
}
