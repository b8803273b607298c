import type { Redis } from 'ioredis';
import { WRITERS_GROUP } from '@sluice/shared/stream/stream-keys';
import type { DecodedEntry } from './decode-entry.ts';

/** Most ids in one call of the script: Lua's unpack and the time other clients wait set the limit. */
const MAX_IDS = 1_000;

/**
 * Acknowledges and deletes together. A script and not MULTI: over maxmemory Redis refuses everything
 * inside MULTI, but still runs XACK and XDEL from a script, and that is what frees the memory.
 */
const SETTLE = `
redis.call('XACK', KEYS[1], ARGV[1], unpack(ARGV, 2))
return redis.call('XDEL', KEYS[1], unpack(ARGV, 2))`;

/**
 * Acknowledges entries whose events are committed and deletes them from the stream. The only place that
 * does, and only ever called after COMMIT: an entry that is not settled is delivered again, and the ledger
 * makes that harmless.
 */
export async function settleBatch(redis: Redis, entries: readonly Pick<DecodedEntry, 'key' | 'id'>[]): Promise<void> {
  for (const [key, group] of Map.groupBy(entries, (entry) => entry.key)) {
    const ids = group.map((entry) => entry.id);
    for (let at = 0; at < ids.length; at += MAX_IDS) {
      await redis.eval(SETTLE, 1, key, WRITERS_GROUP, ...ids.slice(at, at + MAX_IDS));
    }
  }
}
