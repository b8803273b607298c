import type { Redis } from 'ioredis';
import type { HealthCheck } from '../runtime/health.ts';

/** Whether Redis answers. */
export function redisCheck(redis: Redis): HealthCheck {
  return { name: 'redis', critical: true, run: async () => ({ ok: (await redis.ping()) === 'PONG' }) };
}
