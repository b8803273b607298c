import { Kysely, type PostgresClientConstructor, PostgresDialect, type PostgresPool, sql } from 'kysely';
import pg from 'pg';
import type { PoolUse } from '@sluice/daemon/telemetry/pool-metrics';
import { type Client, openPool } from './pool.ts';

/**
 * Opens the database. Nothing is connected yet: the first statement connects, so a daemon can start while Postgres is
 * away.
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
      // Without a listener, a connection that breaks ends the process.
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
    schema: options.schema,
    close: () => db.destroy(),
  };
}

/** How a daemon talks to Postgres. */
export interface DatabaseOptions {
  readonly url: string;
  readonly poolSize: number;
  readonly statementTimeoutMs: number;
  /** Shown in pg_stat_activity. A daemon takes it from APPLICATION_NAMES: the fence distinguishes sessions by it. */
  readonly applicationName: string;
  /**
   * Longest transaction, in milliseconds, where the server can enforce it (PostgreSQL 17). A transaction that never ends
   * would hold the fence of exports and roll-ups back. Left out, there is no limit.
   */
  readonly transactionTimeoutMs?: number;
  /** DATABASE_SCHEMA: the schema of the tables. Left out, the one that has them, else the first of search_path. */
  readonly schema?: string | undefined;
  /** Gets a function that reads how busy the pool is, for metrics. Before the first query the pool is empty. */
  readonly watchPool?: (use: () => PoolUse) => void;
}

/** A pool of connections and the ways to use it. Transactions are in `transaction.ts`. */
export interface Database {
  /** For statements outside of a transaction. Each takes a connection of the pool while it runs. */
  readonly db: Kysely<unknown>;
  /**
   * Runs `work` on one connection of the pool, for what only pg's own client can do: a named statement, or COPY.
   *
   * @param work must leave no transaction open
   */
  withClient<T>(work: (client: Client) => Promise<T>): Promise<T>;
  /** Statements on a connection that `withClient` gave. */
  on(client: Client): Kysely<unknown>;
  /**
   * Cancels the running statement of a connection, over a new connection outside of the pool.
   *
   * @param isWanted asked once the new connection is open: whether the statement still runs
   */
  cancel(client: Client, isWanted: () => boolean): Promise<void>;
  /** @throws when Postgres does not answer a statement */
  check(): Promise<void>;
  /** DATABASE_SCHEMA, if it is set. */
  readonly schema: string | undefined;
  /** Waits for the running statements. No further ones can be sent. */
  close(): Promise<void>;
}

/** Presents a connection as a pool that has only this one and never closes it. */
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
