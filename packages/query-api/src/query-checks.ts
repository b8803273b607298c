import type { Redis } from 'ioredis';
import type { StoredKeys } from '@sluice/access/stored-keys';
import type { HealthCheck } from '@sluice/daemon/http/health';
import type { Database } from '@sluice/store/database';
import { READS, SERVES } from '@sluice/store/find-obstacle';
import { schemaCheck } from '@sluice/store/migrations/schema-check';
import { postgresCheck } from '@sluice/store/postgres-check';
import { redisCheck } from '@sluice/stream/redis-check';
import type { QueryConfig } from './config.ts';

/** What `/health` and `/ready` of the query API look at. Without Redis only the queue can't be shown. */
export function queryChecks(parts: {
  redis: Redis;
  database: Database;
  readDatabase: Database;
  config: QueryConfig;
  storedKeys: StoredKeys;
}): HealthCheck[] {
  const { redis, database, readDatabase, config, storedKeys } = parts;
  const { open } = config.configuredKeys;
  return [
    postgresCheck(database, () => SERVES),
    schemaCheck(database),
    // Without its replica it still serves operators.
    ...(readDatabase === database
      ? []
      : [{ ...postgresCheck(readDatabase, () => READS), name: 'read_replica', critical: false }]),
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
