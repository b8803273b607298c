import type { Redis } from 'ioredis';
import { refusalOf } from '@sluice/stream/redis-refusal';

/**
 * Reads when the Redis server started, in milliseconds since 1970 by this machine's clock.
 *
 * @returns null for a user that may not run INFO
 * @throws when Redis is away
 */
export async function startOfServer(redis: Redis): Promise<number | null> {
  try {
    const uptime = /^uptime_in_seconds:(\d+)/m.exec(await redis.info('server'))?.[1];
    return uptime === undefined ? null : Date.now() - Number(uptime) * 1_000;
  } catch (error) {
    if (refusalOf(error) === null) throw error;
    return null;
  }
}
