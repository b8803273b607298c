import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { Unfold } from '@sluice/store/projection';
import { lockGenerations } from '../fold/generations.ts';
import { DIMENSIONS, hourlyCounts, sumBy } from './count-values.ts';

/** Takes the counts of deleted events out of every generation that is in use. */
export const unfoldCounts: Unfold = {
  columns: DIMENSIONS,
  async lock(db) {
    await lockGenerations(db);
  },
  collect: countsToUnfold,
  subtract: (db, collected) => subtractCounts(db, collected as DeletedCounts),
};

/** Hourly counts of deleted events, one array per column: what to subtract from the roll-ups. */
interface DeletedCounts {
  readonly generation: number[];
  readonly tenant: string[];
  readonly dimension: string[];
  readonly bucket: string[];
  readonly value: string[];
  readonly events: string[];
}

/**
 * A query that counts the events that are in the roll-ups, by generation. An earlier statement of the transaction must have
 * locked the generations.
 *
 * @param events a query for `tenant, occurred_at, stored_at, tx` and the counted columns
 */
function countsToUnfold(events: RawBuilder<unknown>): RawBuilder<unknown> {
  const folded = sql`
    SELECT e.*, g.generation FROM (${events}) AS e JOIN rollup_generations AS g
    ON g.state <> 'retired' AND (e.tx < g.tx OR e.stored_at < g.floor)`;
  return sql`
    SELECT coalesce(array_agg(generation), '{}') AS generation, coalesce(array_agg(tenant), '{}') AS tenant,
           coalesce(array_agg(dimension), '{}') AS dimension, coalesce(array_agg(bucket), '{}') AS bucket,
           coalesce(array_agg(value), '{}') AS value, coalesce(array_agg(events::text), '{}') AS events
    FROM (${hourlyCounts(folded, sql`generation, `)}) AS c`;
}

/** Subtracts counts. A row that reaches 0 is deleted. */
async function subtractCounts(db: Kysely<unknown>, counts: DeletedCounts): Promise<void> {
  if (counts.events.length === 0) return;
  const hours = sql`
    SELECT * FROM unnest(${counts.generation}::smallint[], ${counts.tenant}::text[], ${counts.dimension}::text[],
                         ${counts.bucket}::timestamptz[], ${counts.value}::text[], ${counts.events}::bigint[])
      AS u (generation, tenant, dimension, bucket, value, events)`;
  await subtract(db, 'rollup_hours', hours);
  await subtract(db, 'rollup_days', sumBy('day', sql`(${hours}) AS h`, sql`generation, `));
  await subtract(db, 'rollup_weeks', sumBy('week', sql`(${hours}) AS h`, sql`generation, `));
  await sql`
    UPDATE rollup_generations AS g SET events = g.events - d.events
    FROM (SELECT generation, sum(events) AS events FROM (${hours}) AS h WHERE dimension = 'event_type' GROUP BY 1) AS d
    WHERE g.generation = d.generation`.execute(db);
}

async function subtract(db: Kysely<unknown>, table: string, counts: RawBuilder<unknown>): Promise<void> {
  await sql`
    MERGE INTO ${sql.table(table)} AS r USING (${counts}) AS c
    ON r.generation = c.generation AND r.tenant = c.tenant AND r.dimension = c.dimension
       AND r.bucket = c.bucket AND r.value = c.value
    WHEN MATCHED AND r.events <= c.events THEN DELETE
    WHEN MATCHED THEN UPDATE SET events = r.events - c.events`.execute(db);
}
