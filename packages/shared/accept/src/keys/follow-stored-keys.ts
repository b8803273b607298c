import type { Redis } from 'ioredis';
import { decodeKeySet, keySetKey, keyUsesKey } from '@sluice/access/key-projection';
import { createStoredKeys, type StoredKeys } from '@sluice/access/stored-keys';
import type { Logger } from '@sluice/daemon/log/logger';
import { poll } from '@sluice/daemon/retry/poll';

/** Ingest's copy of the stored keys. */
export interface FollowedKeys {
  readonly keys: StoredKeys;
  /** Resolves when the first try to read them is over, with or without success. */
  readonly tried: Promise<void>;
  stop(): Promise<void>;
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

  async function refresh(): Promise<void> {
    const text = await redis.get(keySetKey(namespace));
    if (text !== null && text !== current) {
      keys.replace(decodeKeySet(text));
      current = text;
    }
    const uses = keys.takeUses();
    // Only for show; a Redis that is full refuses it.
    if (uses.size > 0) await redis.hset(keyUsesKey(namespace), Object.fromEntries(uses)).catch(() => {});
  }
  const refreshing = poll({
    everyMs: options.refreshMs,
    when: () => redis.status === 'ready',
    turn: refresh,
    onFailing: (error) => logger.warn({ error }, 'API keys not read from Redis; using the last known set'),
    onRecovered: () => logger.info('API keys read from Redis again'),
  });
  const again = (): void => void refreshing.now();
  redis.on('ready', again);
  return {
    keys,
    tried: refreshing.now(),
    async stop() {
      redis.off('ready', again);
      await refreshing.stop();
    },
  };
}
