import type { Redis } from 'ioredis';
import type { StoredKeys } from '@sluice/access/stored-keys';
import type { Orm } from '@sluice/store/orm';
import { postgresCheck } from '@sluice/store/postgres-check';
import type { HealthCheck } from '@sluice/daemon/http/health';
import { redisCheck } from '@sluice/stream/redis-check';
import type { QueryConfig } from './config.ts';

/** What `/health` and `/ready` of the query API look at. Without Redis only the queue can't be shown. */
export function queryChecks(parts: {
  redis: Redis;
  orm: Orm;
  readOrm: Orm;
  config: QueryConfig;
  storedKeys: StoredKeys;
}): HealthCheck[] {
  const { redis, orm, readOrm, config, storedKeys } = parts;
  const { open } = config.configuredKeys;
  return [
    postgresCheck(orm),
    // Without its replica it still serves operators.
    ...(readOrm === orm ? [] : [{ ...postgresCheck(readOrm), name: 'read_replica', critical: false }]),
    { ...redisCheck(redis), critical: false },
    {
      name: 'authentication',
      critical: false,
      run: () => ({
        ok: !open,
        detail: open ? { warning: 'runs open: no API key is configured' } : { stored_keys_known: storedKeys.known },
      }),
    },
  ];
}
