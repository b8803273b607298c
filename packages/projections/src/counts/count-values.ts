import { type RawBuilder, sql } from 'kysely';

/** The columns of `events` whose values are counted: the dimensions of the roll-ups. */
export const DIMENSIONS = ['event_type', 'actor', 'session_id', 'resource'] as const;

/**
 * A query that counts events by hour, dimension and value. Nulls are not counted.
 *
 * @param events a query for `tenant`, `occurred_at` and the columns of DIMENSIONS
 * @param by further columns of `events` to group by, as `name, ` each
 */
export function hourlyCounts(events: RawBuilder<unknown>, by: RawBuilder<unknown> = sql``): RawBuilder<unknown> {
  const pairs = DIMENSIONS.map((dimension) => sql`(${sql.lit(dimension)}, ${sql.ref(dimension)})`);
  return sql`
    SELECT ${by} tenant, dimension, hour AS bucket, value, count(*) AS events
    FROM (${events}) AS e CROSS JOIN date_bin('1 hour', occurred_at, 'epoch') AS hour
         CROSS JOIN LATERAL (VALUES ${sql.join(pairs)}) AS v (dimension, value)
    WHERE value IS NOT NULL
    GROUP BY ${by} tenant, dimension, hour, value`;
}

/**
 * A query that sums hourly counts by day.
 *
 * @param hours the text after FROM
 * @param by as in `hourlyCounts`
 */
export function dailyCounts(hours: RawBuilder<unknown>, by: RawBuilder<unknown> = sql``): RawBuilder<unknown> {
  return sql`
    SELECT ${by} tenant, dimension, day AS bucket, value, sum(events) AS events
    FROM (SELECT *, date_bin('1 day', bucket, 'epoch') AS day FROM ${hours}) AS d
    GROUP BY ${by} tenant, dimension, day, value`;
}
