import { type Kysely, sql } from 'kysely';
import type { Database } from '@sluice/store/database';
import {
  conditionsOf,
  inSegments,
  readableSegments,
  type ReadableSegment,
} from '@sluice/store/layout/readable-segments';
import { byStoring, inGroups } from '@sluice/store/layout/walk-segments';
import { readByIndex } from '@sluice/store/read-by-index';
import type { UntilGone } from '../http/client-gone.ts';
import { allOf, type EventFilter, matchesFilter } from './event-filter.ts';

/** How to get a total: by counting, or from the planner's statistics, which costs a millisecond or two. */
export type TotalMethod = 'exact' | 'estimated';

/** Counts the matching events, some segments at a time. */
export async function countEvents(
  database: Database,
  filter: EventFilter,
  method: TotalMethod,
  untilGone: UntilGone,
): Promise<number> {
  const { start, end } = filter;
  const segments = await readableSegments(database.db, { occurredFrom: start, occurredBefore: end });
  let total = 0;
  for (const some of inGroups(segments, byStoring)) {
    total += await readByIndex(database, (db) =>
      method === 'exact' ? countMatches(db, filter, some, untilGone) : estimateMatches(db, filter, some, untilGone),
    );
  }
  return total;
}

async function countMatches(
  db: Kysely<unknown>,
  filter: EventFilter,
  segments: readonly ReadableSegment[],
  untilGone: UntilGone,
): Promise<number> {
  const counts = conditionsOf(segments).map(
    ({ condition, hashed }) => sql`
      SELECT count(*) AS total FROM events WHERE ${allOf([matchesFilter(filter, { hashed }), condition])}`,
  );
  const { rows } = await sql<{ total: string }>`
    SELECT sum(total) AS total FROM (${sql.join(counts, sql` UNION ALL `)}) AS counts`.execute(db, untilGone);
  return Number(rows[0]!.total);
}

/** Without the hashes, whose share the planner would take off once more. */
async function estimateMatches(
  db: Kysely<unknown>,
  filter: EventFilter,
  segments: readonly ReadableSegment[],
  untilGone: UntilGone,
): Promise<number> {
  const { rows } = await sql<{ 'QUERY PLAN': [{ Plan: { 'Plan Rows': number } }] }>`
    EXPLAIN (FORMAT JSON) SELECT 1 FROM events WHERE ${matchesFilter(filter)} AND ${inSegments(segments)}`.execute(
    db,
    untilGone,
  );
  return rows[0]!['QUERY PLAN'][0].Plan['Plan Rows'];
}
