import { sql } from 'kysely';
import type { Database } from './database.ts';
import { makePartitions } from './layout/partitions.ts';
import { migrate } from './migrations/migrate.ts';

/** How many weekly partitions are made beside the current one. */
export const PARTITIONS_AHEAD = 2;

/** Oldest server that has what the statements use (`pg_input_is_valid`). */
const OLDEST_SERVER = 160_000;

/** What had to be done. */
export interface PreparedDatabase {
  readonly serverVersion: number;
  readonly migrations: readonly string[];
  readonly partitions: readonly string[];
}

/**
 * Everything a daemon needs before its first statement: a server that is new enough, the schema, and the
 * partitions for this week and the next two.
 *
 * @throws what Postgres answered; callers try again while it is away
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
