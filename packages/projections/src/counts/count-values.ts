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

/** How long buckets are, and an instant at which one begins: weeks are of ISO 8601 and begin on Monday, 00:00 UTC. */
const LENGTHS = {
  day: { length: '1 day', origin: '1970-01-01 00:00Z' },
  week: { length: '7 days', origin: '1970-01-05 00:00Z' },
} as const;

/**
 * A query that sums the counts of shorter buckets.
 *
 * @param counts the text after FROM
 * @param by as in `hourlyCounts`
 */
export function sumBy(
  unit: keyof typeof LENGTHS,
  counts: RawBuilder<unknown>,
  by: RawBuilder<unknown> = sql``,
): RawBuilder<unknown> {
  const { length, origin } = LENGTHS[unit];
  return sql`
    SELECT ${by} tenant, dimension, longer AS bucket, value, sum(events)::bigint AS events
    FROM (SELECT *, date_bin(${sql.lit(length)}, bucket, ${sql.lit(origin)}) AS longer FROM ${counts}) AS s
    GROUP BY ${by} tenant, dimension, longer, value`;
}
