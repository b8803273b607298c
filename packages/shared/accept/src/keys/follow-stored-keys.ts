import type { Redis } from 'ioredis';
import { decodeKeySet, keySetKey, keyUsesKey } from '@sluice/access/key-projection';
import { createStoredKeys, type StoredKeys } from '@sluice/access/stored-keys';
import type { Logger } from '@sluice/daemon/log/logger';
import { Outage } from '@sluice/daemon/log/outage';

/** Ingest's copy of the stored keys. */
export interface FollowedKeys {
  readonly keys: StoredKeys;
  /** Resolves when the first try to read them is over, with or without success. */
  readonly tried: Promise<void>;
  stop(): void;
}

/**
 * Reads the stored keys from Redis, where the query API puts them, every `refreshMs` and at each reconnect. What was
 * read last is kept while Redis is away, and also when it has none: a set that is missing (FLUSHALL, a new server)
 * says nothing of the keys, other than a set that is there and empty. On the way back goes which keys were used.
 */
export function followStoredKeys(options: {
  redis: Redis;
  logger: Logger;
  namespace: string;
  refreshMs: number;
}): FollowedKeys {
  const { redis, logger, namespace } = options;
  const keys = createStoredKeys();
  let current: string | null = null;
  const outage = new Outage();

  async function refresh(): Promise<void> {
    if (redis.status !== 'ready') return;
    try {
      const text = await redis.get(keySetKey(namespace));
      if (text !== null && text !== current) {
        keys.replace(decodeKeySet(text));
        current = text;
      }
      const uses = keys.takeUses();
      // Only for show; a Redis that is full refuses it.
      if (uses.size > 0) await redis.hset(keyUsesKey(namespace), Object.fromEntries(uses)).catch(() => {});
      outage.over();
    } catch (error) {
      const reason = outage.news(error);
      if (reason !== null) logger.warn({ error: reason }, 'API keys not read from Redis; using the last known set');
    }
  }
  const timer = setInterval(() => void refresh(), options.refreshMs).unref();
  const again = (): void => void refresh();
  redis.on('ready', again);
  return {
    keys,
    tried: refresh(),
    stop() {
      clearInterval(timer);
      redis.off('ready', again);
    },
  };
}
