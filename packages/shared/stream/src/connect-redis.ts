import { once } from 'node:events';
import { Redis, type RedisOptions } from 'ioredis';
import type { Logger } from '@sluice/daemon/log/logger';
import { type Backoff, backoffDelay } from '@sluice/daemon/retry/backoff';
import { messageOf } from '@sluice/errors/message-of';

/** Waits between two tries to reconnect. */
const RECONNECT: Backoff = { initialMs: 100, maxMs: 1_000 };

/** A connection for blocking reads is dropped after this long without a byte, in milliseconds. Reads block for less. */
const BLOCKING_SILENCE_MS = 10_000;

/**
 * Opens a connection for commands that answer at once. While Redis is away a command fails immediately instead of
 * waiting in memory. A command without an answer fails after `commandTimeoutMs`. So the caller decides what to do, and
 * nothing piles up. After twice that time without a byte the connection reconnects: its peer may have vanished
 * without a FIN, and then every further command would fail too.
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

/** Opens a connection for blocking reads (XREADGROUP … BLOCK): other commands would wait until the read ends. */
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
    // The kernel notices a peer that vanished from an idle connection; its own default is two hours.
    keepAlive: 10_000,
    retryStrategy: (attempt) => backoffDelay(RECONNECT, attempt),
    ...extra,
  });
  const reported = new Set<string>();
  redis.on('error', (error: Error) => {
    const message = messageOf(error);
    // One line for each new reason in an outage, not for each try: several reasons may alternate.
    if (!reported.has(message))
      options.logger.warn({ connection: options.name, error: message }, 'Redis cannot be reached');
    reported.add(message);
  });
  redis.on('ready', () => {
    if (reported.size > 0) options.logger.info({ connection: options.name }, 'Redis is back');
    reported.clear();
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
    // Aborted, or the connection failed. The caller continues; its first command reports the error.
    return (redis.status as string) === 'ready';
  }
}
