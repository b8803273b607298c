import type { Redis } from 'ioredis';

/** Memory of a Redis, in bytes. */
export interface RedisMemory {
  readonly used: number;
  /** Its maxmemory; 0 for no limit. */
  readonly max: number;
}

/** Reads how much memory Redis uses. */
export async function readRedisMemory(redis: Redis): Promise<RedisMemory> {
  const info = await redis.info('memory');
  const bytes = (name: string): number => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0);
  return { used: bytes('used_memory'), max: bytes('maxmemory') };
}
