import { type Kysely, sql } from 'kysely';
import type { Database } from './database.ts';

/** Waits for the lock of this name and holds it until the caller's transaction ends. A missing row cannot be locked. */
export async function lockInTransaction(db: Kysely<unknown>, name: string): Promise<void> {
  await sql`SELECT pg_advisory_xact_lock(hashtextextended(${name}, 0))`.execute(db);
}

/**
 * Runs `work` on one connection that holds an advisory lock, so that one process at a time does it. The lock belongs to
 * the connection: it is free at once when the process dies.
 *
 * @param work gets the connection; its statements fail when the lock is lost with it
 * @returns false when another connection holds the lock and `work` did not run
 */
export async function withAdvisoryLock(
  database: Database,
  name: string,
  work: (db: Kysely<unknown>) => Promise<void>,
): Promise<boolean> {
  return database.db.connection().execute((connection) => withLockOn(connection, name, () => work(connection)));
}

/**
 * The same on one connection that the caller has.
 *
 * @returns false when another connection holds the lock and `work` did not run
 */
export async function withLockOn(
  connection: Kysely<unknown>,
  name: string,
  work: () => Promise<void>,
): Promise<boolean> {
  const { rows } = await sql<{ taken: boolean }>`
    SELECT pg_try_advisory_lock(hashtextextended(${name}, 0)) AS taken`.execute(connection);
  if (rows[0]?.taken !== true) return false;
  try {
    await work();
  } finally {
    // On a broken connection this fails, and the lock is gone with the connection.
    await sql`SELECT pg_advisory_unlock(hashtextextended(${name}, 0))`.execute(connection).catch(() => {});
  }
  return true;
}
