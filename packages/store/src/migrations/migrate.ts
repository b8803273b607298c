import { setTimeout as delay } from 'node:timers/promises';
import { type Kysely, sql } from 'kysely';
import type { Database } from '../database.ts';
import { buildIndex } from './build-index.ts';
import { checkServer } from './check-server.ts';
import { appliedMigrations, requireCompatible } from './compatibility.ts';
import type { Migration } from './migration.ts';
import { MIGRATIONS } from './migrations.ts';

/** Name of the lock that lets one daemon at a time migrate, from its first statement to its last index. */
const RUN_LOCK = 'sluice:migrate';

/** Key of the lock that 0.1.0 migrates under: "sluice" in ASCII, as one number. Also taken while tables change. */
const MIGRATION_LOCK = 0x736c75696365n;

/** How long to wait for another daemon that migrates, and how often to try the lock, in milliseconds. */
const PATIENCE_MS = 10_000;
const POLL_MS = 100;

/** Another process is migrating. */
class MigrationRunningError extends Error {
  override readonly name = 'MigrationRunningError';
  /** SQLSTATE of a lock that was not free in time: a retry helps. */
  readonly code = '55P03';
}

/**
 * Brings the schema up to date. Any number of daemons may call this at once; the later ones find nothing to do. Each
 * migration runs its statements and adds its row to `sluice_migrations` in one transaction, then builds its indexes one by
 * one, then does its online work, then sets `finished`. So the next run continues a run that was interrupted anywhere.
 *
 * @returns names of the migrations that this call applied or finished
 * @throws UnusableDatabaseError for a server that cannot be used; SchemaTooNewError for a schema that this version cannot
 *   run with; MigrationRunningError when another process
 *   has been migrating for ten seconds
 */
export async function migrate(database: Database, known: readonly Migration[] = MIGRATIONS): Promise<string[]> {
  return database.withClient(async (client) => {
    // One connection for everything: a pool may have only one, and the lock must live as long as what it guards.
    const db = database.on(client);
    await checkServer(db, database.schema);
    await lock(db);
    const done: string[] = [];
    try {
      await db.transaction().execute(prepareTable);
      for (const migration of await pendingOf(db, known)) {
        await db.transaction().execute((transaction) => applyStatements(transaction, migration));
        for (const index of migration.indexes ?? []) await buildIndex(database, client, index);
        await migration.online?.(database, client);
        await sql`UPDATE sluice_migrations SET finished = true WHERE name = ${migration.name}`.execute(db);
        done.push(migration.name);
      }
    } finally {
      // On a broken connection this fails, and the lock is gone with the connection.
      await sql`SELECT pg_advisory_unlock(hashtextextended(${RUN_LOCK}, 0))`.execute(db).catch(() => {});
    }
    return done;
  });
}

/**
 * Names of the migrations that are not applied, or not finished. Changes nothing.
 *
 * @throws SchemaTooNewError for a schema that this version cannot run with
 */
export async function pendingMigrations({ db }: Database, known: readonly Migration[] = MIGRATIONS): Promise<string[]> {
  return (await pendingOf(db, known)).map(({ name }) => name);
}

async function pendingOf(db: Kysely<unknown>, known: readonly Migration[]): Promise<Migration[]> {
  const applied = await appliedMigrations(db);
  requireCompatible(applied, known);
  return known.filter(({ name }) => applied.find((each) => each.name === name)?.finished !== true);
}

/**
 * Polls for the lock instead of waiting in one statement. CREATE INDEX CONCURRENTLY waits for every older statement, also
 * for one that waits for the lock of the process that builds the index.
 */
async function lock(db: Kysely<unknown>): Promise<void> {
  for (const deadline = performance.now() + PATIENCE_MS; ;) {
    const { rows } = await sql<{ taken: boolean }>`
      SELECT pg_try_advisory_lock(hashtextextended(${RUN_LOCK}, 0)) AS taken`.execute(db);
    if (rows[0]?.taken === true) return;
    if (performance.now() > deadline) throw new MigrationRunningError('another process is migrating the database');
    await delay(POLL_MS);
  }
}

/** Waits for a daemon of 0.1.0 that is migrating. */
async function lockAsBefore(db: Kysely<unknown>): Promise<void> {
  await sql`SELECT pg_advisory_xact_lock(${MIGRATION_LOCK.toString()}::bigint)`.execute(db);
}

/** Creates `sluice_migrations`, or adds the columns that 0.1.0 did not have. */
async function prepareTable(db: Kysely<unknown>): Promise<void> {
  await lockAsBefore(db);
  await sql`CREATE TABLE IF NOT EXISTS sluice_migrations (
    name text PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT now()
  )`.execute(db);
  // A row of 0.1.0 is finished: it had no indexes of that kind.
  await sql`
    ALTER TABLE sluice_migrations ADD COLUMN IF NOT EXISTS compatible_since text,
                                  ADD COLUMN IF NOT EXISTS finished boolean NOT NULL DEFAULT true`.execute(db);
}

/** Runs the statements, unless an earlier run did and only indexes are missing. */
async function applyStatements(
  db: Kysely<unknown>,
  { name, compatibleSince, statements, indexes = [], online }: Migration,
): Promise<void> {
  await lockAsBefore(db);
  const { rows } = await sql`SELECT FROM sluice_migrations WHERE name = ${name}`.execute(db);
  if (rows.length > 0) return;
  for (const statement of statements) await sql.raw(statement).execute(db);
  await sql`
    INSERT INTO sluice_migrations (name, compatible_since, finished)
    VALUES (${name}, ${compatibleSince}, ${indexes.length === 0 && online === undefined})`.execute(db);
}
