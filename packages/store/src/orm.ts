import type { Socket } from 'node:net';
import { MikroORM } from '@mikro-orm/postgresql';
import { prepareNamedStatements, type PreparingClient } from './prepared-statements.ts';
import { ApiKey } from './entities/api-key.ts';
import { AuditEntry } from './entities/audit-entry.ts';
import { DeadLetter } from './entities/dead-letter.ts';
import { EventId } from './entities/event-id.ts';
import { Event } from './entities/event.ts';
import { ExportConfig } from './entities/export-config.ts';
import { ExportPosition } from './entities/export-position.ts';
import { ExportRun } from './entities/export-run.ts';
import { FenceCluster } from './entities/fence-cluster.ts';
import { FenceObservation } from './entities/fence-observation.ts';
import { Job } from './entities/job.ts';
import { JobRun } from './entities/job-run.ts';
import { Replay } from './entities/replay.ts';
import { ExpiringPartition } from './entities/expiring-partition.ts';
import { KeptPartition } from './entities/kept-partition.ts';
import { RollupGeneration } from './entities/rollup-generation.ts';
import { RollupDay, RollupHour } from './entities/rollup.ts';
import { Session } from './entities/session.ts';
import { TenantRetention } from './entities/tenant-retention.ts';
import type { PoolUse } from '@sluice/daemon/telemetry/pool-metrics';
import { SILENCE_MARGIN_MS } from './silence-margin.ts';

/** Every entity there is; the migrations' tables and these are compared by a test. */
const ENTITIES = [
  ExportPosition,
  ExportRun,
  FenceCluster,
  FenceObservation,
  Event,
  EventId,
  Session,
  DeadLetter,
  Replay,
  AuditEntry,
  ExportConfig,
  Job,
  JobRun,
  RollupHour,
  RollupDay,
  RollupGeneration,
  TenantRetention,
  ExpiringPartition,
  KeptPartition,
  ApiKey,
];

export type Orm = MikroORM;

/** How a daemon talks to Postgres. */
export interface DatabaseOptions {
  readonly url: string;
  readonly poolSize: number;
  readonly statementTimeoutMs: number;
  /** Shown in pg_stat_activity. */
  readonly applicationName: string;
  /**
   * A transaction ends after this, in milliseconds, where the server can see to it (PostgreSQL 17): one that never ends
   * would hold the fence of exports and roll-ups back for as long. Left out, transactions may take as long as they like.
   */
  readonly transactionTimeoutMs?: number;
  /** Given a way to see how busy the pool is, for metrics; before the first query the pool is empty. */
  readonly watchPool?: (use: () => PoolUse) => void;
}

/**
 * A MikroORM over a pool of connections. Nothing is connected yet: the first query is, so a daemon starts
 * and waits while Postgres is away.
 */
export async function createOrm(options: DatabaseOptions): Promise<Orm> {
  let current: PgPool | null = null;
  options.watchPool?.(() => useOf(current, options.poolSize));
  return MikroORM.init({
    clientUrl: options.url,
    entities: ENTITIES,
    connect: false,
    // A typing error in DATABASE_URL must not make a new, empty database.
    ensureDatabase: false,
    pool: { min: 0, max: options.poolSize },
    driverOptions: {
      application_name: options.applicationName,
      statement_timeout: options.statementTimeoutMs,
      // A client that died between two statements must not hold its locks.
      idle_in_transaction_session_timeout: options.statementTimeoutMs,
      connectionTimeoutMillis: 5_000,
      keepAlive: true,
      onPoolCreated: (pool: PgPool) => {
        current = pool;
        pool.on('connect', prepareNamedStatements);
        endSilentConnections(pool, options.statementTimeoutMs + SILENCE_MARGIN_MS);
        if (options.transactionTimeoutMs !== undefined) limitTransactions(pool, options.transactionTimeoutMs);
      },
    },
    // Wherever the server stands, times are read and written as UTC.
    timezone: 'Z',
    // Migrations are hand-written; the schema generator only serves the test that compares them with the entities.
    schemaGenerator: { skipTables: ['sluice_migrations'] },
  } as Parameters<typeof MikroORM.init>[0]) as Promise<Orm>;
}

function useOf(pool: PgPool | null, max: number): PoolUse {
  if (pool === null) return { used: 0, idle: 0, waiting: 0, max };
  return { used: pool.totalCount - pool.idleCount, idle: pool.idleCount, waiting: pool.waitingCount, max };
}

/** What is used of pg's pool; the properties of its clients are pg's own, but its types leave them out. */
interface PgPool {
  readonly totalCount: number;
  readonly idleCount: number;
  readonly waitingCount: number;
  on(event: 'connect', listener: (client: PgClient) => void): unknown;
}

interface PgClient extends PreparingClient {
  readonly readyForQuery: boolean;
  readonly connection: { readonly stream: Socket };
}

/**
 * Ends a connection on which a statement has been without an answer for too long. The server ends each statement
 * after its time-out, so longer silence means that nobody is there any more: a peer that vanished without a FIN
 * would otherwise keep a transaction waiting for as long as the kernel sends again, about a quarter of an hour.
 */
function endSilentConnections(pool: PgPool, silenceMs: number): void {
  pool.on('connect', (client) => {
    const { stream } = client.connection;
    stream.setTimeout(silenceMs);
    stream.on('timeout', () => {
      // Between statements a connection may be idle, and hold a lock, for as long as its owner likes.
      if (client.readyForQuery) return;
      stream.destroy(Object.assign(new Error(`no answer from Postgres in ${silenceMs} ms`), { code: 'ETIMEDOUT' }));
    });
  });
}

/** Sets transaction_timeout; an older server would refuse it as a start-up parameter, and with it the connection. */
function limitTransactions(pool: PgPool, timeoutMs: number): void {
  pool.on('connect', (client) => {
    client
      .query(
        `SELECT set_config('transaction_timeout', '${timeoutMs}', false) WHERE current_setting('server_version_num')::int >= 170000`,
      )
      // On a connection that is broken already, the next statement says so.
      .catch(() => {});
  });
}
