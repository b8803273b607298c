import type { Redis } from 'ioredis';
import { decodeKeySet, keySetKey, keyUsesKey } from '@sluice/access/key-projection';
import { createStoredKeys, type StoredKeys } from '@sluice/access/stored-keys';
import type { Logger } from '@sluice/daemon/log/logger';
import { poll } from '@sluice/daemon/retry/poll';

/** Ingest's copy of the stored keys, kept current. */
export interface FollowedKeys {
  readonly keys: StoredKeys;
  /** Resolves after the first attempt to read them, whether or not it succeeded. */
  readonly tried: Promise<void>;
  stop(): Promise<void>;
}

/**
 * Reads the stored keys from Redis, where the query API publishes them, every `refreshMs` and at each reconnect. The last
 * set that was read stays in use while Redis is away. It also stays when Redis has no set (FLUSHALL, a new server): a
 * missing set says nothing about the keys, while an empty one says that there are none. Each turn also reports which
 * keys were used.
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
    // Informative only: a full Redis refuses the write.
    if (uses.size > 0) await redis.hset(keyUsesKey(namespace), Object.fromEntries(uses)).catch(() => {});
  }
  const refreshing = poll({
    everyMs: options.refreshMs,
    when: () => redis.status === 'ready',
    turn: refresh,
    onFailing(error) {
      if (keys.known) logger.warn({ error }, 'API keys not read from Redis; using the last known set');
      else logger.warn({ error }, 'API keys not read from Redis; none is known yet');
    },
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
