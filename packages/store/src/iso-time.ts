import { type RawBuilder, sql } from 'kysely';

/**
 * A time as ISO 8601 UTC text with six decimals; a JavaScript Date would lose its microseconds.
 *
 * @param time a column's name, or an expression
 */
export function isoTime(time: string | RawBuilder<unknown>): RawBuilder<string> {
  const value = typeof time === 'string' ? sql.ref(time) : sql`(${time})`;
  return sql<string>`to_char(${value} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
}
