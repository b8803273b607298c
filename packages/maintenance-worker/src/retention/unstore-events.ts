import { type Kysely, type RawBuilder, sql } from 'kysely';
import { PROJECTIONS } from '@sluice/projections/all-projections';

/** The columns of `events` that are needed to remove an event from the projections. */
export const UNSTORED_COLUMNS = sql.raw(
  [
    ...new Set([
      'tenant',
      'event_id',
      'stored_at',
      'occurred_at',
      'tx',
      ...PROJECTIONS.flatMap(({ unfold }) => unfold.columns),
    ]),
  ].join(', '),
);

/**
 * Removes events from the projections, in the transaction that deletes them.
 *
 * @param events a query with the UNSTORED_COLUMNS of those events, e.g. `DELETE … RETURNING`
 * @returns the number of events
 */
export async function unstoreEvents(db: Kysely<unknown>, events: RawBuilder<unknown>): Promise<number> {
  for (const { unfold } of PROJECTIONS) await unfold.lock(db);
  const collected = PROJECTIONS.map(
    ({ unfold }) => sql`(SELECT row_to_json(c) FROM (${unfold.collect(sql`SELECT * FROM gone`)}) AS c)`,
  );
  const { rows } = await sql<{ gone: string; collected: string }>`
    WITH gone AS MATERIALIZED (${events})
    SELECT (SELECT count(*) FROM gone) AS gone, json_build_array(${sql.join(collected)})::text AS collected`.execute(
    db,
  );
  const { gone, collected: texts } = rows[0]!;
  const parts = JSON.parse(texts) as unknown[];
  for (const [at, { unfold }] of PROJECTIONS.entries()) await unfold.subtract(db, parts[at]);
  return Number(gone);
}
