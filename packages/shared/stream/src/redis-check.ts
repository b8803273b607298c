import type { Redis } from 'ioredis';
import type { CheckResult, HealthCheck } from '@sluice/daemon/http/health';

/**
 * Whether Redis answers.
 *
 * @param detail what else is shown of it
 */
export function redisCheck(redis: Redis, detail?: () => CheckResult['detail']): HealthCheck {
  return {
    name: 'redis',
    critical: true,
    run: async () => ({ ok: (await redis.ping()) === 'PONG', ...(detail === undefined ? {} : { detail: detail() }) }),
  };
}
