import { type Kysely, type RawBuilder, sql } from 'kysely';
import { DIMENSIONS } from '@sluice/projections/counts/count-values';
import { lockGenerations } from '@sluice/projections/counts/generations';
import { countsToUnfold, type DeletedCounts, unfold } from '@sluice/projections/counts/unfold';

/** The columns of `events` that are needed to take an event out of everything else. */
export const UNSTORED_COLUMNS = sql.raw(
  ['tenant', 'event_id', 'stored_at', 'tx', 'occurred_at', ...DIMENSIONS].join(', '),
);

/**
 * Takes events out of the ledger and the roll-ups, in the transaction that makes them go away.
 *
 * An id is deleted only with the `stored_at` of its event: one that had expired and was stored again keeps its row.
 *
 * @param events what gives the UNSTORED_COLUMNS of those events, e.g. `DELETE … RETURNING` or a query
 * @returns how many events
 */
export async function unstoreEvents(db: Kysely<unknown>, events: RawBuilder<unknown>): Promise<number> {
  await lockGenerations(db);
  const { rows } = await sql<DeletedCounts & { gone: string }>`
    WITH gone AS MATERIALIZED (${events}),
    ledger AS (
      DELETE FROM event_ids AS i USING gone
      WHERE i.tenant = gone.tenant AND i.event_id = gone.event_id AND i.stored_at = gone.stored_at
    )
    SELECT c.*, (SELECT count(*) FROM gone) AS gone FROM (${countsToUnfold(sql`SELECT * FROM gone`)}) AS c`.execute(db);
  const { gone, ...counts } = rows[0]!;
  await unfold(db, counts);
  return Number(gone);
}
