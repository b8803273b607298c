import type { Redis } from 'ioredis';
import { messageOf } from '@sluice/errors/message-of';
import { streamKey, streamKeyPattern, WRITERS_GROUP } from './stream-keys.ts';

/**
 * Creates the writers' group on a shard, and the shard if it does not exist. The group starts at id 0, so that writers
 * also read entries older than the group. An existing group stays as it is.
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

/** How often to look for new shards in Redis, in milliseconds. */
export const FIND_SHARDS_MS = 30_000;

/**
 * Finds the keys of all shards that are in Redis, and adds the configured ones. After STREAM_SHARDS was lowered, the
 * shards above it still have entries to drain. It scans all keys: too slow for every measurement or request.
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
