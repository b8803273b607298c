import type { Database } from './database.ts';
import { makePartitions } from './layout/partitions.ts';
import { checkServer } from './migrations/check-server.ts';
import { migrate } from './migrations/migrate.ts';

/** Number of weekly partitions to make after the current one. */
export const PARTITIONS_AHEAD = 2;

/**
 * Prepares the database for a daemon's first statement: checks the server, migrates the schema, and makes the
 * partitions for this week and the next two.
 *
 * @throws what Postgres answered; callers retry while it is away
 */
export async function prepareDatabase(database: Database, now: Date): Promise<PreparedDatabase> {
  const server = await checkServer(database.db, database.schema);
  return {
    serverVersion: server.version,
    schema: server.schema,
    otherSchemas: server.otherSchemas,
    migrations: await migrate(database),
    partitions: await makePartitions(database, now, PARTITIONS_AHEAD),
  };
}

/** What preparing a database did. */
export interface PreparedDatabase {
  readonly serverVersion: number;
  /** Schema of the tables. */
  readonly schema: string;
  /** Other schemas of the database that have tables of Sluice. */
  readonly otherSchemas: readonly string[];
  readonly migrations: readonly string[];
  readonly partitions: readonly string[];
}
