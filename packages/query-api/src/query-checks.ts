import type { Redis } from 'ioredis';
import type { StoredKeys } from '@sluice/access/stored-keys';
import type { HealthCheck } from '@sluice/daemon/http/health';
import { tryWaking } from '@sluice/jobs/try-waking';
import type { Database } from '@sluice/store/database';
import { READS, SERVES } from '@sluice/store/find-obstacle';
import { schemaCheck } from '@sluice/store/migrations/schema-check';
import { postgresCheck } from '@sluice/store/postgres-check';
import { redisCheck } from '@sluice/stream/redis-check';
import type { QueryConfig } from './config.ts';

/** The checks of `/health` and `/ready`. Redis is not critical: without it only the queue cannot be shown. */
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
    // Not critical: without its replica the query API still serves operators.
    ...(readDatabase === database
      ? []
      : [{ ...postgresCheck(readDatabase, () => READS), name: 'read_replica', critical: false }]),
    { ...redisCheck(redis, { work: () => tryWaking(redis, config.SLUICE_NAMESPACE) }), critical: false },
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
