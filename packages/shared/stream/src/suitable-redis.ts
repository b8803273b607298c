import type { Redis } from 'ioredis';
import { refusalOf, UnsuitableRedisError } from './redis-refusal.ts';

/** Oldest major version that has what Sluice needs: scripts with flags, `entries-added`. */
const OLDEST_MAJOR = 7;

/**
 * Drops a connection whose server cannot be used, before any command of Sluice is sent on it; ioredis then tries again.
 * Each reason is an `error` event.
 *
 * - ioredis continues in database 0 after a refused SELECT: two pipelines that database numbers should separate would mix.
 * - A node of a cluster answers like a single server, but accepts only the keys of its own slots: one shard in three
 *   works, and no writer ever reads it.
 */
export function useSuitableOnly(redis: Redis): void {
  redis.on('error', (error: Error) => {
    if (refusalOf(error) === null || redis.status !== 'connect') return;
    redis.disconnect(true);
    // It only ends the stream. A reply that is on its way to ioredis would make the connection ready before it closes.
    redis.stream.destroy();
  });
  // ioredis has written its handshake by then and waits for the replies, so this INFO is answered before it is ready.
  redis.on('connect', () => {
    redis.info().then(
      (info) => {
        const reason = unsuitable(info);
        if (reason !== null) redis.emit('error', reason);
      },
      // A user that may not run INFO is let in; ioredis reports all other reasons by itself.
      () => undefined,
    );
  });
}

/** @param info the reply to INFO */
function unsuitable(info: string): UnsuitableRedisError | null {
  if (/^cluster_enabled:1/m.test(info))
    return new UnsuitableRedisError(
      'CLUSTER',
      'Redis runs in cluster mode (cluster_enabled:1), which this version does not support. Use a Redis without it',
    );
  const version = /^redis_version:([\d.]+)/m.exec(info)?.[1];
  if (version !== undefined && Number.parseInt(version) < OLDEST_MAJOR)
    return new UnsuitableRedisError('VERSION', `Redis ${version} is too old. Use Redis ${OLDEST_MAJOR}.0 or newer`);
  return null;
}

/** Whether an error of ioredis only says that a connection was dropped, for a reason that was reported before. */
export function isAfterDrop(error: Error): boolean {
  return /isn't writeable/.test(error.message);
}
