import type { PoolMetrics } from '@sluice/daemon/telemetry/pool-metrics';
import { APPLICATION_NAMES } from '@sluice/store/application-names';
import { type Database, type DatabaseOptions, openDatabase } from '@sluice/store/database';
import type { QueryConfig } from './config.ts';

/** Time-out for reading the stored keys, in milliseconds: a part of the 30 s within which a revoked key stops working. */
const KEYS_TIMEOUT_MS = 3_000;

/** The pools of the query API. */
export interface Databases {
  readonly database: Database;
  /** Serves events, statistics and sessions: the replica of DATABASE_READ_URL, else the same as `database`. */
  readonly readDatabase: Database;
  /** One connection of its own, so that the check for revoked keys never waits for slow reads. */
  readonly keysDatabase: Database;
}

/** @param parts closes them at the stop */
export function openDatabases(config: QueryConfig, pools: PoolMetrics, parts: AsyncDisposableStack): Databases {
  const options: DatabaseOptions = {
    url: config.DATABASE_URL,
    schema: config.DATABASE_SCHEMA,
    poolSize: config.DB_POOL_SIZE,
    statementTimeoutMs: config.STATEMENT_TIMEOUT_MS,
    applicationName: APPLICATION_NAMES.query,
  };
  const open = (pool: string, wanted: DatabaseOptions): Database =>
    parts.adopt(openDatabase({ ...wanted, watchPool: pools.watch(pool) }), (opened) => opened.close());
  const database = open('query', options);
  const readUrl = config.DATABASE_READ_URL;
  return {
    database,
    readDatabase:
      readUrl === undefined
        ? database
        : open('read', { ...options, url: readUrl, applicationName: APPLICATION_NAMES.queryRead }),
    keysDatabase: open('keys', {
      ...options,
      poolSize: 1,
      statementTimeoutMs: KEYS_TIMEOUT_MS,
      applicationName: APPLICATION_NAMES.queryKeys,
    }),
  };
}
