import type { Database } from './database.ts';
import { makeSegments } from './layout/make-segment.ts';
import { checkServer } from './migrations/check-server.ts';
import { migrate } from './migrations/migrate.ts';

/**
 * Prepares the database for a daemon's first statement: checks the server, migrates the schema, and makes the
 * hot segment and the one after it.
 *
 * @throws what Postgres answered; callers retry while it is away
 */
export async function prepareDatabase(database: Database): Promise<PreparedDatabase> {
  const server = await checkServer(database.db, database.schema);
  return {
    serverVersion: server.version,
    schema: server.schema,
    otherSchemas: server.otherSchemas,
    migrations: await migrate(database),
    segments: await makeSegments(database),
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
  readonly segments: readonly string[];
}
