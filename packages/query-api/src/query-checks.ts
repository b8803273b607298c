import type { Redis } from 'ioredis';
import type { Orm } from '@sluice/shared/database/orm';
import { postgresCheck } from '@sluice/shared/database/postgres-check';
import type { HealthCheck } from '@sluice/shared/runtime/health';
import { redisCheck } from '@sluice/shared/stream/redis-check';
import type { QueryConfig } from './config.ts';

/** What `/health` and `/ready` of the query API look at. Without Redis only the queue can't be shown. */
export function queryChecks({ redis, orm, config }: { redis: Redis; orm: Orm; config: QueryConfig }): HealthCheck[] {
  return [
    postgresCheck(orm),
    { ...redisCheck(redis), critical: false },
    {
      name: 'authentication',
      critical: false,
      run: () => ({
        ok: !config.keys.open,
        detail: config.keys.open ? { warning: 'runs open: no API key is configured' } : {},
      }),
    },
  ];
}
