import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';

/** A database for one test file. */
export interface TestDatabase {
  readonly url: string;
  /** Rows of a query, on a connection that the daemons don't share. */
  query<T extends pg.QueryResultRow = pg.QueryResultRow>(text: string, values?: unknown[]): Promise<T[]>;
  /** A further connection, for a test that holds locks or transactions. The caller ends it. */
  connect(): Promise<pg.Client>;
  drop(): Promise<void>;
}

/**
 * Makes an empty database with Sluice's schema, by copying the migrated template.
 *
 * @param options.empty true for a database without the schema
 */
export async function createTestDatabase(options: { empty?: boolean } = {}): Promise<TestDatabase> {
  const name = `sluice_test_${randomBytes(6).toString('hex')}`;
  const serverUrl = inject('databaseUrl');
  const admin = new pg.Client({ connectionString: serverUrl });
  await admin.connect();
  await admin.query(`CREATE DATABASE ${name}${options.empty ? '' : ` TEMPLATE ${inject('templateDatabase')}`}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  const pool = new pg.Pool({ connectionString: url.href, max: 4 });
  pool.on('error', () => {});
  return {
    url: url.href,
    query: async (text, values) => (await pool.query(text, values)).rows,
    async connect() {
      const client = new pg.Client({ connectionString: url.href });
      // A failed test drops the database while connections are open; only its own error matters.
      client.on('error', () => {});
      await client.connect();
      return client;
    },
    async drop() {
      await pool.end();
      await admin.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
      await admin.end();
    },
  };
}
