import { type Kysely, sql } from 'kysely';
import { observeOpenTransactions } from './open-transactions.ts';

/** How far a stored observation is set back, in milliseconds: it is used for days, over which a clock may be set back. */
const MARGIN_MS = 60_000;

/**
 * Stores an observation of the open transactions. It prunes the windows of exports and roll-ups: a row's `stored_at` is
 * the start of its transaction, which may be any time before it got its id and any time before it ended, so neither the
 * fence nor a time-out bounds it. The observation does.
 */
export async function observeTransactions(db: Kysely<unknown>, marginMs = MARGIN_MS): Promise<void> {
  // An export's window is read once: no transaction may be taken for one that only reads because it is old.
  const { floor, nextTx } = await observeOpenTransactions(db, { marginMs, longestMs: null });
  // Windows then begin where they began before: slower, and still right. `check-fence` warns of it.
  if (floor === null) return;
  await sql`
    INSERT INTO fence_observations (system_identifier, next_tx, floor, observed_at)
    SELECT system_identifier::text, ${nextTx}::xid8, ${floor}::timestamptz, clock_timestamp() FROM pg_control_system()
    ON CONFLICT DO NOTHING`.execute(db);
  // Those before the newest that a fence can use are of no use to any later fence.
  await sql`
    DELETE FROM fence_observations WHERE next_tx < (
      SELECT max(o.next_tx) FROM fence_observations o JOIN pg_control_system() s
      ON o.system_identifier = s.system_identifier::text AND o.next_tx <= pg_snapshot_xmin(pg_current_snapshot()))`.execute(
    db,
  );
}

/** The time before which no transaction that is open, or is to come, began; null when a session's start is hidden. */
export async function earliestOpenStart(db: Kysely<unknown>): Promise<string | null> {
  return (await observeOpenTransactions(db, { marginMs: MARGIN_MS, longestMs: null })).floor;
}
