import { setTimeout as delay } from 'node:timers/promises';
import { sql } from 'kysely';
import type { Database } from '../database.ts';
import { SEGMENT_LOCK } from './segment-lock.ts';
import { unlessLocked } from './unless-locked.ts';

/**
 * Longest wait for the transactions that store events, in milliseconds. New ones wait behind this one, so it bounds how long
 * a rotation can stop the writers; then they continue, and the rotation is tried again.
 */
const LOCK_TIMEOUT_MS = 150;

/** How often it is tried, and the pause between two tries, in milliseconds: the writers' time. */
const TRIES = 5;
const PAUSE_MS = 300;

/**
 * Closes the hot segment and makes the next one hot, in one transaction: a crash before its COMMIT changes nothing. With
 * the lock, every transaction that stored in the closed one has ended: it is complete, and its rows are visible to all.
 *
 * @param relation the segment to close
 * @returns false when transactions that store events took longer each time than the writers may wait
 * @throws when no segment is next
 */
export async function rotateSegment(database: Database, relation: string): Promise<boolean> {
  for (let attempt = 1; ; attempt += 1) {
    if (await tryRotating(database, relation)) return true;
    if (attempt === TRIES) return false;
    await delay(PAUSE_MS);
  }
}

function tryRotating(database: Database, relation: string): Promise<boolean> {
  return unlessLocked(
    database,
    async (db) => {
      await sql`SELECT pg_advisory_xact_lock(${SEGMENT_LOCK.toString()}::bigint)`.execute(db);
      const closed = await sql`
        UPDATE segments SET state = 'closed', closed_at = clock_timestamp()
        WHERE relation = ${relation} AND state = 'hot'`.execute(db);
      // Another worker was faster.
      if (closed.numAffectedRows === 0n) return;
      const opened = await sql`
        UPDATE segments SET state = 'hot', hot_at = clock_timestamp() WHERE state = 'next'`.execute(db);
      if (opened.numAffectedRows !== 1n) throw new Error(`no segment comes after ${relation}; it stays hot`);
    },
    LOCK_TIMEOUT_MS,
  );
}
