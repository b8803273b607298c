import type { PoolMetrics } from '@sluice/daemon/telemetry/pool-metrics';
import { createOrm, type Orm } from '@sluice/store/orm';
import type { QueryConfig } from './config.ts';

/** How long Postgres may take for the stored keys, in milliseconds: a part of the 30 s in which a revoked key stops. */
const KEYS_TIMEOUT_MS = 3_000;

/** The pools of the query API. */
export interface Databases {
  readonly orm: Orm;
  /** Where events, statistics and sessions are read: a replica with DATABASE_READ_URL, else the same as `orm`. */
  readonly readOrm: Orm;
  /** One connection: a revoked key must not wait behind slow reads. */
  readonly keysOrm: Orm;
}

/** @param parts closes them at the stop */
export async function openDatabases(
  config: QueryConfig,
  pools: PoolMetrics,
  parts: AsyncDisposableStack,
): Promise<Databases> {
  const database = {
    url: config.DATABASE_URL,
    poolSize: config.DB_POOL_SIZE,
    statementTimeoutMs: config.STATEMENT_TIMEOUT_MS,
    applicationName: 'sluice-query',
  };
  const open = async (pool: string, options: typeof database): Promise<Orm> =>
    parts.adopt(await createOrm({ ...options, watchPool: pools.watch(pool) }), (orm) => orm.close(true));
  const orm = await open('query', database);
  const readUrl = config.DATABASE_READ_URL;
  return {
    orm,
    readOrm:
      readUrl === undefined
        ? orm
        : await open('read', { ...database, url: readUrl, applicationName: 'sluice-query-read' }),
    keysOrm: await open('keys', {
      ...database,
      poolSize: 1,
      statementTimeoutMs: KEYS_TIMEOUT_MS,
      applicationName: 'sluice-query-keys',
    }),
  };
}
