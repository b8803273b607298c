import { Kysely, type PostgresClientConstructor, PostgresDialect, type PostgresPool, sql } from 'kysely';
import pg from 'pg';
import type { PoolUse } from '@sluice/daemon/telemetry/pool-metrics';
import { type Client, openPool } from './pool.ts';

/**
 * Opens the database. Nothing is connected yet: the first statement connects, so a daemon starts and waits while Postgres
 * is away.
 */
export function openDatabase(options: DatabaseOptions): Database {
  const pool = openPool(options);
  options.watchPool?.(() => useOf(pool, options.poolSize));
  const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) });
  const kyselys = new WeakMap<Client, Kysely<unknown>>();
  return {
    db,
    async withClient(work) {
      const client = (await pool.connect()) as Client;
      try {
        return await work(client);
      } finally {
        client.release();
      }
    },
    on(client) {
      let kysely = kyselys.get(client);
      if (kysely === undefined) {
        kysely = new Kysely<unknown>({ dialect: new PostgresDialect({ pool: poolOf(client, pool) }) });
        kyselys.set(client, kysely);
      }
      return kysely;
    },
    async cancel(client, isWanted) {
      const other = new pg.Client({ ...pool.options, password: pool.options.password });
      // Else a connection that breaks ends the process.
      other.on('error', () => {});
      try {
        await other.connect();
        if (isWanted()) await other.query('SELECT pg_cancel_backend($1)', [client.processID]);
      } finally {
        await other.end();
      }
    },
    async check() {
      await sql`SELECT 1`.execute(db);
    },
    close: () => db.destroy(),
  };
}

/** How a daemon talks to Postgres. */
export interface DatabaseOptions {
  readonly url: string;
  readonly poolSize: number;
  readonly statementTimeoutMs: number;
  /** Shown in pg_stat_activity. A daemon takes it from APPLICATION_NAMES: the fence tells its sessions apart by it. */
  readonly applicationName: string;
  /**
   * A transaction ends after this, in milliseconds, where the server can see to it (PostgreSQL 17): one that never ends
   * would hold the fence of exports and roll-ups back for as long. Left out, transactions may take as long as they like.
   */
  readonly transactionTimeoutMs?: number;
  /** Given a way to see how busy the pool is, for metrics; before the first query the pool is empty. */
  readonly watchPool?: (use: () => PoolUse) => void;
}

/** One pool of connections, and the ways to use it. Transactions are in `transaction.ts`. */
export interface Database {
  /** For statements outside of a transaction; each takes a connection of the pool for as long as it runs. */
  readonly db: Kysely<unknown>;
  /**
   * Runs `work` on one connection of the pool: for what only pg's own client can do, such as a named statement or COPY.
   *
   * @param work must leave no transaction open
   */
  withClient<T>(work: (client: Client) => Promise<T>): Promise<T>;
  /** Statements on a connection that `withClient` gave. */
  on(client: Client): Kysely<unknown>;
  /**
   * Cancels what a connection is running, over another connection that is not of the pool.
   *
   * @param isWanted asked when that other connection is there: whether the statement still runs
   */
  cancel(client: Client, isWanted: () => boolean): Promise<void>;
  /** @throws when Postgres does not answer a statement */
  check(): Promise<void>;
  /** Waits for the statements that are running. No more can be sent. */
  close(): Promise<void>;
}

/** A connection as a pool that has only this one and keeps it. */
function poolOf(client: Client, { options }: pg.Pool): PostgresPool {
  const borrowed = {
    query: client.query.bind(client),
    release() {},
    get processID() {
      return client.processID;
    },
  };
  return {
    connect: async () => borrowed,
    end: async () => {},
    Client: pg.Client as unknown as PostgresClientConstructor,
    options,
  };
}

function useOf(pool: pg.Pool, max: number): PoolUse {
  return { used: pool.totalCount - pool.idleCount, idle: pool.idleCount, waiting: pool.waitingCount, max };
}
