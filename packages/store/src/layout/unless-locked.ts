import { type Kysely, sql } from 'kysely';
import type { Database } from '../database.ts';
import { inTransaction } from '../transaction.ts';

/**
 * Longest wait for a lock, in milliseconds. It is less than deadlock_timeout (1 s by default), after which Postgres would
 * cancel an autovacuum that is in the way.
 */
const LOCK_TIMEOUT_MS = 100;

/** SQLSTATE of a lock that was not free in time. */
const LOCK_NOT_AVAILABLE = '55P03';

/** Runs `work` in a transaction that waits for no lock. @returns false when one was not free */
export async function unlessLocked(
  database: Database,
  work: (db: Kysely<unknown>) => Promise<unknown>,
  lockTimeoutMs = LOCK_TIMEOUT_MS,
): Promise<boolean> {
  try {
    await inTransaction(database, async (db) => {
      await sql.raw(`SET LOCAL lock_timeout = ${lockTimeoutMs}`).execute(db);
      await work(db);
    });
    return true;
  } catch (error) {
    if ((error as { code?: unknown }).code === LOCK_NOT_AVAILABLE) return false;
    throw error;
  }
}
