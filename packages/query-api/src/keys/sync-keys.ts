import type { Redis } from 'ioredis';
import { encodeKeySet, keySetKey, keyUsesKey } from '@sluice/access/key-projection';
import { createStoredKeys, type StoredKeys } from '@sluice/access/stored-keys';
import type { Logger } from '@sluice/daemon/log/logger';
import { poll } from '@sluice/daemon/retry/poll';
import type { Database } from '@sluice/store/database';
import { noteUses } from './commands.ts';
import { goodKeys } from './rows.ts';

/**
 * Writes the set even when Redis is over its maxmemory and refuses every SET: revoked keys must stop then too, and the
 * text is small. Scripts can ask for that since Redis 7.0.
 */
const PUT = "#!lua flags=allow-oom\nredis.call('SET', KEYS[1], ARGV[1])";

/** The stored keys of this process, refreshed in the background. */
export interface SyncedKeys {
  readonly keys: StoredKeys;
  /** Refreshes at once. Never rejects: a failed refresh is tried again at the next turn. */
  refresh(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Reads the valid keys from Postgres every `refreshMs` and puts them into Redis for ingest, as one value that replaces
 * the one before. Any number of query APIs may do so. A set goes to Redis only right after it was read: a set from before
 * an outage of Postgres could restore a key that another instance has seen revoked.
 */
export function syncKeys(options: {
  /** With its own connection: a revoked key must not wait for slow reads. */
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

  /** Stores the uses that this process has seen, and those that ingest has put into Redis. */
  async function note(): Promise<void> {
    const uses = new Map(keys.takeUses());
    const reported = redis.status === 'ready' ? Object.entries(await redis.hgetall(keyUsesKey(namespace))) : [];
    for (const [id, at] of reported) uses.set(id, Math.max(Number(at), uses.get(id) ?? 0));
    if (uses.size > 0) await noteUses(db, uses);
    if (reported.length > 0) await redis.del(keyUsesKey(namespace));
  }

  // Turns do not overlap, so that an older answer never replaces a newer one.
  const refreshing = poll({
    everyMs: options.refreshMs,
    async turn() {
      await passOn();
      await note();
    },
    onFailing(error) {
      if (keys.known) logger.warn({ error }, 'API keys not refreshed; using the last known set');
      else logger.warn({ error }, 'API keys not refreshed; none is known yet');
    },
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
