import { type Kysely, sql } from 'kysely';
import type { UntilGone } from '../http/client-gone.ts';
import { type EventFilter, matchesFilter } from './event-filter.ts';

/** How a total is got: by counting, or from the planner's statistics, which costs a millisecond. */
export type TotalMethod = 'exact' | 'estimated';

/** How many events match. */
export async function countEvents(
  db: Kysely<unknown>,
  filter: EventFilter,
  method: TotalMethod,
  untilGone: UntilGone,
): Promise<number> {
  if (method === 'exact') {
    const { rows } = await sql<{ total: string }>`
      SELECT count(*) AS total FROM events WHERE ${matchesFilter(filter)}`.execute(db, untilGone);
    return Number(rows[0]!.total);
  }
  const { rows } = await sql<{ 'QUERY PLAN': [{ Plan: { 'Plan Rows': number } }] }>`
    EXPLAIN (FORMAT JSON) SELECT 1 FROM events WHERE ${matchesFilter(filter)}`.execute(db, untilGone);
  return rows[0]!['QUERY PLAN'][0].Plan['Plan Rows'];
}
