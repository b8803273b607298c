import { type RawBuilder, sql } from 'kysely';
import { isoTime } from '@sluice/store/iso-time';

/** A time column as ISO 8601 UTC with microseconds, under its own name. */
export function utc(column: string): RawBuilder<string | null> {
  return sql`${isoTime(column)} AS ${sql.ref(column)}`;
}
