import { once } from 'node:events';
import { Redis, type RedisOptions } from 'ioredis';
import type { Logger } from '@sluice/daemon/log/logger';
import { type Backoff, backoffDelay } from '@sluice/daemon/retry/backoff';
import { messageOf } from '@sluice/errors/message-of';

/** Waits between two tries to reconnect. */
const RECONNECT: Backoff = { initialMs: 100, maxMs: 1_000 };

/**
 * A connection for blocking reads is given up when nothing came for this long, in milliseconds. No read may block
 * as long as that.
 */
const BLOCKING_SILENCE_MS = 10_000;

/**
 * A connection for commands that answer at once. While Redis is away a command fails straight away
 * instead of waiting in memory, and one without an answer fails after `commandTimeoutMs`: the caller
 * decides what to do, and nothing piles up. After twice that without a byte the connection itself is given up and
 * made anew: its peer may have vanished without a FIN, and then every further command would fail too.
 */
export function connectRedis(
  url: string,
  options: { name: string; logger: Logger; commandTimeoutMs: number; autoPipelining?: boolean },
): Redis {
  return connect(url, options, {
    commandTimeout: options.commandTimeoutMs,
    socketTimeout: 2 * options.commandTimeoutMs,
    maxRetriesPerRequest: 0,
    enableAutoPipelining: options.autoPipelining ?? false,
  });
}

/** A connection for blocking reads (XREADGROUP … BLOCK): nothing else may wait behind one. */
export function connectBlockingRedis(url: string, options: { name: string; logger: Logger }): Redis {
  return connect(url, options, { maxRetriesPerRequest: 0, socketTimeout: BLOCKING_SILENCE_MS });
}

function connect(url: string, options: { name: string; logger: Logger }, extra: RedisOptions): Redis {
  const redis = new Redis(url, {
    // RESP2-shaped replies; ioredis 6 would otherwise turn some arrays into objects.
    replyMapping: 'legacy',
    connectionName: `sluice:${options.name}`,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    connectTimeout: 2_000,
    // A peer that vanished while nothing was asked of it is noticed by the kernel, not after its default of two hours.
    keepAlive: 10_000,
    retryStrategy: (attempt) => backoffDelay(RECONNECT, attempt),
    ...extra,
  });
  const told = new Set<string>();
  redis.on('error', (error: Error) => {
    const message = messageOf(error);
    // One line for each new reason of an outage, not one for each of the tries: several reasons may take turns.
    if (!told.has(message))
      options.logger.warn({ connection: options.name, error: message }, 'Redis cannot be reached');
    told.add(message);
  });
  redis.on('ready', () => {
    if (told.size > 0) options.logger.info({ connection: options.name }, 'Redis is back');
    told.clear();
  });
  return redis;
}

/**
 * Waits until the connection can take commands.
 *
 * @returns false when `timeoutMs` passed or the signal was aborted first
 */
export async function waitForRedis(redis: Redis, timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
  if (redis.status === 'ready') return true;
  const limit = AbortSignal.timeout(timeoutMs);
  try {
    await once(redis, 'ready', { signal: signal === undefined ? limit : AbortSignal.any([signal, limit]) });
    return true;
  } catch {
    // Aborted, or the connection told of an error; the caller goes on and meets it with its first command.
    return (redis.status as string) === 'ready';
  }
}
