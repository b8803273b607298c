import { once } from 'node:events';
import { Redis, type RedisOptions } from 'ioredis';
import type { Logger } from '@sluice/daemon/log/logger';
import { type Backoff, backoffDelay } from '@sluice/daemon/retry/backoff';
import { messageOf } from '@sluice/errors/message-of';
import { refusalOf } from './redis-refusal.ts';
import { isAfterDrop, useSuitableOnly } from './suitable-redis.ts';

/** Waits between two tries to reconnect. */
const RECONNECT: Backoff = { initialMs: 100, maxMs: 1_000 };

/**
 * How long the first commands of a connection may take, in milliseconds. A daemon that starts may be too busy for a second to read
 * a reply that is already there, and would report an outage that is none.
 */
const HANDSHAKE_MS = 5_000;

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
  const handshakeMs = Math.max(HANDSHAKE_MS, options.commandTimeoutMs);
  const redis = connect(url, options, {
    commandTimeout: handshakeMs,
    socketTimeout: 2 * options.commandTimeoutMs,
    maxRetriesPerRequest: 0,
    enableAutoPipelining: options.autoPipelining ?? false,
  });
  // ioredis reads the limit with each command.
  redis.on('ready', () => {
    redis.options.commandTimeout = options.commandTimeoutMs;
  });
  redis.on('close', () => {
    redis.options.commandTimeout = handshakeMs;
  });
  return redis;
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
    if (isAfterDrop(error)) return;
    const refusal = refusalOf(error);
    const message = refusal?.message ?? messageOf(error);
    // One line for each new reason in an outage, not for each try: several reasons may alternate.
    if (!reported.has(message)) {
      const about = { connection: options.name, error: message };
      if (refusal === null) options.logger.warn(about, 'Redis cannot be reached');
      else options.logger.error({ ...about, code: refusal.code }, 'Redis refuses the connection');
    }
    reported.add(message);
  });
  useSuitableOnly(redis);
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
