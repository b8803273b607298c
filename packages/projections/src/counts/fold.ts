import { type RawBuilder, sql } from 'kysely';
import type { FoldWindow } from '@sluice/store/projection';
import { sumBy } from './count-values.ts';

/** The tables, by the length of their buckets. */
export const COUNT_TABLES = ['rollup_hours', 'rollup_days', 'rollup_weeks'] as const;

/** Adds a window's events to the hours, and the sums of these to days and weeks. */
export function foldCounts({ generation, events, groups }: FoldWindow): readonly RawBuilder<unknown>[] {
  const grouped = ['event_type', 'actor', 'session_id'].map(
    (dimension) => sql`
      SELECT tenant, ${sql.lit(dimension)} AS dimension, hour AS bucket, ${sql.ref(dimension)} AS value, sum(events)::bigint AS events
      FROM ${groups} WHERE ${sql.ref(dimension)} IS NOT NULL GROUP BY tenant, hour, ${sql.ref(dimension)}`,
  );
  // There are nearly as many resources as events, so they are no part of the groups: that would make groups of one event.
  const resources = sql`
    SELECT tenant, 'resource', date_bin('1 hour', occurred_at, 'epoch') AS bucket, resource, count(*)
    FROM events WHERE resource IS NOT NULL AND ${events} GROUP BY tenant, bucket, resource`;
  return [
    sql`counts_by_hour AS MATERIALIZED (${sql.join([...grouped, resources], sql` UNION ALL `)})`,
    sql`counts_by_day AS MATERIALIZED (${sumBy('day', sql`counts_by_hour`)})`,
    sql`counts_hours AS (${addCounts('rollup_hours', generation, sql`counts_by_hour`)})`,
    sql`counts_days AS (${addCounts('rollup_days', generation, sql`counts_by_day`)})`,
    sql`counts_weeks AS (${addCounts('rollup_weeks', generation, sql`(${sumBy('week', sql`counts_by_day`)}) AS w`)})`,
  ];
}

function addCounts(table: string, generation: number, counts: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`
    INSERT INTO ${sql.table(table)} AS r (generation, tenant, dimension, bucket, value, events)
    SELECT ${generation}::smallint, tenant, dimension, bucket, value, events FROM ${counts}
    ON CONFLICT (generation, tenant, dimension, bucket, value) DO UPDATE SET events = r.events + excluded.events`;
}
