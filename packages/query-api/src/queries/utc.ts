import { type RawBuilder, sql } from 'kysely';

/** A time column as ISO 8601 UTC with microseconds, under its own name. */
export function utc(column: string): RawBuilder<string | null> {
  return sql`to_char(${sql.ref(column)} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS ${sql.ref(column)}`;
}
