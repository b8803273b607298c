import { type Kysely, sql } from 'kysely';
import type { Fence } from '@sluice/store/fence/fence';

/** A moment, and the first transaction id that nobody had then. */
export interface Moment {
  readonly at: string;
  readonly nextTx: string;
}

/** Reads the clock of the server; before the fence is read. */
export async function readMoment(db: Kysely<unknown>): Promise<Moment> {
  const { rows } = await sql<Moment>`
    SELECT clock_timestamp()::text AS at, pg_snapshot_xmax(pg_current_snapshot())::text AS "nextTx"`.execute(db);
  return rows[0]!;
}

/**
 * A time before which every transaction below the fence and no other has committed: the moment, when the fence has passed
 * its transactions, else the newest observation that it has passed. As text.
 */
export async function endedBefore(db: Kysely<unknown>, fence: Fence, moment: Moment): Promise<string> {
  if (BigInt(fence.tx) >= BigInt(moment.nextTx)) return moment.at;
  const { rows } = await sql<{ at: string }>`
    SELECT coalesce(max(observed_at), ${fence.floor}::timestamptz)::text AS at FROM fence_observations
    WHERE system_identifier = ${fence.systemIdentifier} AND next_tx <= ${fence.tx}::xid8`.execute(db);
  return rows[0]!.at;
}
