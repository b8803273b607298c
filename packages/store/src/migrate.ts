import { sql } from 'kysely';
import { inTransaction } from './transaction.ts';
import * as initial from './migrations/0001-events-ledger-sessions.ts';
import * as deadLetters from './migrations/0002-dead-letters.ts';
import * as jobs from './migrations/0003-jobs.ts';
import * as rollups from './migrations/0004-rollups.ts';
import * as exportRuns from './migrations/0005-exports.ts';
import * as apiKeys from './migrations/0006-api-keys.ts';
import * as sessionOrder from './migrations/0007-session-order.ts';
import type { Database } from './database.ts';

interface Migration {
  readonly name: string;
  readonly statements: readonly string[];
}

/** In the order of their application; a published one is never changed. */
export const MIGRATIONS: readonly Migration[] = [
  initial,
  deadLetters,
  jobs,
  rollups,
  exportRuns,
  apiKeys,
  sessionOrder,
];

/** Key of the advisory lock that lets one daemon at a time migrate: "sluice" in ASCII, as one number. */
const MIGRATION_LOCK = 0x736c75696365n;

/**
 * Brings the schema up to date, in one transaction, under an advisory lock: any number of daemons may call
 * this at once, and the later ones find nothing left to do.
 *
 * @returns names of the migrations that this call applied
 * @throws when the database holds a migration that this version does not know (an older daemon on a newer schema)
 */
export async function migrate(database: Database): Promise<string[]> {
  return inTransaction(database, async (db) => {
    await sql`SELECT pg_advisory_xact_lock(${MIGRATION_LOCK.toString()}::bigint)`.execute(db);
    await sql`CREATE TABLE IF NOT EXISTS sluice_migrations (
      name text PRIMARY KEY,
      applied_at timestamptz NOT NULL DEFAULT now()
    )`.execute(db);
    const done = await sql<{ name: string }>`SELECT name FROM sluice_migrations`.execute(db);
    const applied = new Set(done.rows.map((row) => row.name));
    const unknown = [...applied].filter((name) => !MIGRATIONS.some((migration) => migration.name === name));
    if (unknown.length > 0) {
      throw new Error(`the database was migrated by a newer Sluice (${unknown.join(', ')}); run that version`);
    }
    const missing = MIGRATIONS.filter((migration) => !applied.has(migration.name));
    for (const migration of missing) {
      for (const statement of migration.statements) await sql.raw(statement).execute(db);
      await sql`INSERT INTO sluice_migrations (name) VALUES (${migration.name})`.execute(db);
    }
    return missing.map((migration) => migration.name);
  });
}
