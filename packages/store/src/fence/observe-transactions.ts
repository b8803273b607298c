import { type Kysely, sql } from 'kysely';
import { observeOpenTransactions } from './open-transactions.ts';

/** How far a stored observation is set back, in milliseconds. It is used for days, in which a clock may be set back. */
const MARGIN_MS = 60_000;

/**
 * Stores an observation of the open transactions, which prunes the windows of exports and roll-ups. A row's `stored_at` is
 * the start of its transaction. That may be long before the transaction got its id or ended, so neither the fence nor a
 * time-out bounds it; the observation does.
 */
export async function observeTransactions(db: Kysely<unknown>, marginMs = MARGIN_MS): Promise<void> {
  // An export's window is read once: an old transaction must not be mistaken for one that only reads.
  const { floor, nextTx } = await observeOpenTransactions(db, { marginMs, longestMs: null });
  // Then windows begin where they began before: slower, and still right. `check-fence` warns of it.
  if (floor === null) return;
  await sql`
    INSERT INTO fence_observations (system_identifier, next_tx, floor, observed_at)
    SELECT system_identifier::text, ${nextTx}::xid8, ${floor}::timestamptz, clock_timestamp() FROM pg_control_system()
    ON CONFLICT DO NOTHING`.execute(db);
  // No later fence uses an observation before the newest usable one.
  await sql`
    DELETE FROM fence_observations WHERE next_tx < (
      SELECT max(o.next_tx) FROM fence_observations o JOIN pg_control_system() s
      ON o.system_identifier = s.system_identifier::text AND o.next_tx <= pg_snapshot_xmin(pg_current_snapshot()))`.execute(
    db,
  );
}

/** No open or later transaction began before this time; null when a session hides its start. */
export async function earliestOpenStart(db: Kysely<unknown>): Promise<string | null> {
  return (await observeOpenTransactions(db, { marginMs: MARGIN_MS, longestMs: null })).floor;
}
