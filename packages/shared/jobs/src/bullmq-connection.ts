import { createIORedisClient, RedisConnection } from 'bullmq';
import { Redis, type RedisOptions } from 'ioredis';
import { type Backoff, backoffDelay } from '@sluice/daemon/retry/backoff';
import { useSuitableOnly } from '@sluice/stream/suitable-redis';

/** Waits between two tries to reach Redis. */
const RECONNECT: Backoff = { initialMs: 200, maxMs: 5_000 };

/**
 * A connection reconnects when a command gets no byte in reply for this long, in milliseconds: its peer may have
 * vanished without a FIN. BullMQ's blocking reads wait 10 s at most.
 */
const SILENCE_MS = 15_000;

/** Prefix of BullMQ's keys. It is a hash tag, so that all of them lie in one slot of a Redis Cluster. */
export function bullmqPrefix(namespace: string): string {
  return `{${namespace}:jobs}`;
}

// BullMQ opens its connections itself, and takes how from here only.
RedisConnection.clientFactory = (options) => {
  const { url, ...rest } = options as RedisOptions & { url?: string };
  const redis = url === undefined ? new Redis(rest) : new Redis(url, rest);
  useSuitableOnly(redis);
  return createIORedisClient(redis);
};

/** Connection options for BullMQ. Commands wait for Redis without a limit, as BullMQ requires. */
export function bullmqConnection(redisUrl: string) {
  return {
    url: redisUrl,
    maxRetriesPerRequest: null,
    socketTimeout: SILENCE_MS,
    keepAlive: 10_000,
    retryStrategy: (attempt: number) => backoffDelay(RECONNECT, attempt),
  };
}
