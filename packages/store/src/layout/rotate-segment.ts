import { sql } from 'kysely';
import type { Database } from '../database.ts';
import { inTransaction } from '../transaction.ts';
import { SEGMENT_LOCK } from './segment-lock.ts';

/**
 * Longest wait for the transactions that store events, in milliseconds. New ones wait behind this one, so it bounds how long
 * a rotation can stop the writers; then they continue, and the rotation is tried again.
 */
const LOCK_TIMEOUT_MS = 150;

/** SQLSTATE of a lock that was not free in time. */
const LOCK_NOT_AVAILABLE = '55P03';

/**
 * Closes the hot segment and makes the next one hot, in one transaction: a crash before its COMMIT changes nothing. With
 * the lock, every transaction that stored in the closed one has ended: it is complete, and its rows are visible to all.
 *
 * @param relation the segment to close
 * @returns false when a transaction that stores events took longer than the writers may wait
 * @throws when no segment is next
 */
export async function rotateSegment(database: Database, relation: string): Promise<boolean> {
  try {
    await inTransaction(database, async (db) => {
      await sql.raw(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`).execute(db);
      await sql`SELECT pg_advisory_xact_lock(${SEGMENT_LOCK.toString()}::bigint)`.execute(db);
      const closed = await sql`
        UPDATE segments SET state = 'closed', closed_at = clock_timestamp()
        WHERE relation = ${relation} AND state = 'hot'`.execute(db);
      // Another worker was faster.
      if (closed.numAffectedRows === 0n) return;
      const opened = await sql`
        UPDATE segments SET state = 'hot', hot_at = clock_timestamp() WHERE state = 'next'`.execute(db);
      if (opened.numAffectedRows !== 1n) throw new Error(`no segment comes after ${relation}; it stays hot`);
    });
    return true;
  } catch (error) {
    if ((error as { code?: unknown }).code === LOCK_NOT_AVAILABLE) return false;
    throw error;
  }
}
