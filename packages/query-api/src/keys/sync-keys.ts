import type { Redis } from 'ioredis';
import { encodeKeySet, keySetKey, keyUsesKey } from '@sluice/access/key-projection';
import { createStoredKeys, type StoredKeys } from '@sluice/access/stored-keys';
import type { Logger } from '@sluice/daemon/log/logger';
import { poll } from '@sluice/daemon/retry/poll';
import type { Database } from '@sluice/store/database';
import { noteUses } from './commands.ts';
import { goodKeys } from './rows.ts';

/**
 * Writes the set also when Redis is over its maxmemory and refuses every SET: a key that was revoked has to stop
 * then too, and the text is small. Scripts may say so since Redis 7.0.
 */
const PUT = "#!lua flags=allow-oom\nredis.call('SET', KEYS[1], ARGV[1])";

/** The query API's copy of the stored keys. */
export interface SyncedKeys {
  readonly keys: StoredKeys;
  /** Does at once what else happens every `refreshMs`. Never fails: what could not be done is done the next time. */
  refresh(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Reads the good keys from Postgres every `refreshMs` and puts them into Redis for ingest, as one value that
 * replaces the one before. Any number of query APIs may do so. A set is put into Redis only right after it was read:
 * one that was kept over an outage of Postgres could bring a key back that another instance has seen revoked.
 */
export function syncKeys(options: {
  /** With a connection of its own: a revoked key must not wait for slow reads. */
  database: Database;
  redis: Redis;
  logger: Logger;
  namespace: string;
  refreshMs: number;
}): SyncedKeys {
  const { database, redis, logger, namespace } = options;
  const db = database.db;
  const keys = createStoredKeys();

  async function passOn(): Promise<void> {
    const good = await goodKeys(db);
    keys.replace(good);
    if (redis.status === 'ready') await redis.eval(PUT, 1, keySetKey(namespace), encodeKeySet(good));
  }

  /** Uses of this process, and those that ingest has left in Redis. */
  async function note(): Promise<void> {
    const uses = new Map(keys.takeUses());
    const told = redis.status === 'ready' ? Object.entries(await redis.hgetall(keyUsesKey(namespace))) : [];
    for (const [id, at] of told) uses.set(id, Math.max(Number(at), uses.get(id) ?? 0));
    if (uses.size > 0) await noteUses(db, uses);
    if (told.length > 0) await redis.del(keyUsesKey(namespace));
  }

  // Turns do not overlap, so that an older answer never replaces a newer one.
  const refreshing = poll({
    everyMs: options.refreshMs,
    async turn() {
      await passOn();
      await note();
    },
    onFailing: (error) => logger.warn({ error }, 'API keys not refreshed; using the last known set'),
    onRecovered: () => logger.info('API keys refreshed again'),
  });
  const again = (): void => void refreshing.now();
  redis.on('ready', again);
  return {
    keys,
    refresh: () => refreshing.now(),
    async stop() {
      redis.off('ready', again);
      await refreshing.stop();
    },
  };
}
