import { sql } from 'kysely';
import type { Database } from './database.ts';
import { makePartitions } from './layout/partitions.ts';
import { migrate } from './migrations/migrate.ts';

/** Number of weekly partitions to make after the current one. */
export const PARTITIONS_AHEAD = 2;

/** Oldest server that has the functions that statements use (`pg_input_is_valid`). */
const OLDEST_SERVER = 160_000;

/**
 * Prepares the database for a daemon's first statement: checks the server's version, migrates the schema, and makes the
 * partitions for this week and the next two.
 *
 * @throws what Postgres answered; callers retry while it is away
 */
export async function prepareDatabase(database: Database, now: Date): Promise<PreparedDatabase> {
  const { rows } = await sql<{ version: string }>`
    SELECT current_setting('server_version_num') AS version`.execute(database.db);
  const serverVersion = Number(rows[0]?.version);
  if (serverVersion < OLDEST_SERVER) {
    throw new Error(`Sluice needs PostgreSQL 16 or newer; this server is ${Math.floor(serverVersion / 10_000)}`);
  }
  return {
    serverVersion,
    migrations: await migrate(database),
    partitions: await makePartitions(database, now, PARTITIONS_AHEAD),
  };
}

/** What preparing a database did. */
export interface PreparedDatabase {
  readonly serverVersion: number;
  readonly migrations: readonly string[];
  readonly partitions: readonly string[];
}
