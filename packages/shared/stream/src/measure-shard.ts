import type { Redis } from 'ioredis';
import { messageOf } from '@sluice/errors/message-of';

/** Size of one shard. */
export interface ShardSize {
  /** Entries in the stream. */
  readonly length: number;
  /** Entries that were ever added; `added - length` is how many have left. */
  readonly added: number;
  /** Bytes of memory, estimated from a few entries. */
  readonly bytes: number;
  /** Id of the oldest entry; null for an empty shard. */
  readonly oldestId: string | null;
}

const NOTHING: ShardSize = { length: 0, added: 0, bytes: 0, oldestId: null };

/** Measures a shard. A shard that does not exist yet is empty. */
export async function measureShard(redis: Redis, key: string): Promise<ShardSize> {
  try {
    const [info, bytes] = await Promise.all([
      redis.xinfo('STREAM', key) as Promise<unknown[]>,
      redis.memory('USAGE', key, 'SAMPLES', 5),
    ]);
    const field = (name: string): unknown => info[info.indexOf(name) + 1];
    return {
      length: Number(field('length')),
      added: Number(field('entries-added') ?? 0),
      bytes: bytes ?? 0,
      oldestId: (field('first-entry') as [string] | null)?.[0] ?? null,
    };
  } catch (error) {
    if (/no such key/i.test(messageOf(error))) return NOTHING;
    throw error;
  }
}

/** When an entry was added, in milliseconds since 1970 by Redis's clock. */
export function timeOfEntry(id: string): number {
  return Number(id.split('-')[0]);
}
