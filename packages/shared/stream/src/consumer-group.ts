import type { Redis } from 'ioredis';
import { messageOf } from '@sluice/errors/message-of';
import { streamKey, streamKeyPattern, WRITERS_GROUP } from './stream-keys.ts';

/**
 * Creates the writers' group on a shard, and the shard with it. It starts at id 0, so that entries which
 * came before the group are read too. An existing group is left as it is.
 */
export async function createGroup(redis: Redis, key: string): Promise<void> {
  try {
    await redis.xgroup('CREATE', key, WRITERS_GROUP, '0', 'MKSTREAM');
  } catch (error) {
    if (!messageOf(error).startsWith('BUSYGROUP')) throw error;
  }
}

/** Creates the group on every configured shard. */
export async function createGroups(redis: Redis, namespace: string, shards: number): Promise<void> {
  for (let shard = 0; shard < shards; shard += 1) await createGroup(redis, streamKey(namespace, shard));
}

/** How often shards that are new in Redis are looked for, in milliseconds. */
export const FIND_SHARDS_MS = 30_000;

/**
 * Keys of all shards that are in Redis, besides the configured ones: after STREAM_SHARDS was lowered the
 * entries of the shards above it still have to be drained. A SCAN over all keys: not for every measurement or request.
 */
export async function findShards(redis: Redis, namespace: string, shards: number): Promise<string[]> {
  const keys = new Set(Array.from({ length: shards }, (_, shard) => streamKey(namespace, shard)));
  let cursor = '0';
  do {
    const [next, found] = await redis.scan(cursor, 'MATCH', streamKeyPattern(namespace), 'COUNT', 1000);
    for (const key of found) keys.add(key);
    cursor = next;
  } while (cursor !== '0');
  return [...keys].toSorted();
}
