import type { Redis } from 'ioredis';
import type { HealthCheck } from '@sluice/daemon/http/health';

/** Whether Redis answers. */
export function redisCheck(redis: Redis): HealthCheck {
  return { name: 'redis', critical: true, run: async () => ({ ok: (await redis.ping()) === 'PONG' }) };
}
