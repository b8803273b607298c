import { type Kysely, type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Database } from '@sluice/store/database';
import { byBlockRange } from './by-block-range.ts';
import { UNSTORED_COLUMNS, unstoreEvents } from './unstore-events.ts';

/**
 * Deletes events with their part of the projections, a thousand a transaction. Locked rows are left.
 *
 * @param run.passed called after each slice that is now empty, with the number of deleted events
 * @returns false when a slice had locked rows or the signal was aborted: the next run continues
 */
export async function deleteSlices(
  database: Database,
  { segment, from, to, which }: Doomed,
  run: { signal: AbortSignal; passed: (until: string, events: number) => Promise<void> },
): Promise<boolean> {
  const end = Date.parse(to);
  let widthMs = FIRST_WIDTH_MS;
  for (let start = Date.parse(from); start < end;) {
    if (run.signal.aborted) return false;
    const until = Math.min(end, start + widthMs);
    const slice = sql<SqlBool>`
      stored_at >= ${iso(start)}::timestamptz AND stored_at < ${iso(until)}::timestamptz`;
    const found = await countUpTo(database, segment, slice, MOST_EVENTS);
    if (found === MOST_EVENTS && widthMs > 1) {
      widthMs = Math.max(1, Math.floor(widthMs / 4));
      continue;
    }
    let deleted = 0;
    if (found > 0) {
      const doomed = sql<SqlBool>`${slice} AND ${which}`;
      for (let last = BATCH; last === BATCH; deleted += last) {
        if (run.signal.aborted) return false;
        last = await byBlockRange(database, (transaction) => deleteBatch(transaction, segment, doomed));
      }
      if ((await countUpTo(database, segment, doomed, 1)) > 0) return false;
    }
    await run.passed(iso(until), deleted);
    start = until;
    if (found < MOST_EVENTS / 4) widthMs *= 2;
  }
  return true;
}

/** Events that one transaction deletes. */
const BATCH = 1_000;

/**
 * A slice of `stored_at` holds fewer events than this, of all tenants. No index begins with tenant and `stored_at`, so
 * each batch reads the slice by the BRIN index: a slice is read at most this ÷ BATCH times.
 */
const MOST_EVENTS = 20_000;

/** First width of a slice, in milliseconds; then the width follows the density of events. */
const FIRST_WIDTH_MS = 60_000;

/** Events of one segment that are to be deleted. */
export interface Doomed {
  /** Its table. */
  readonly segment: string;
  /** By `stored_at`: inclusive, exclusive; ISO 8601. */
  readonly from: string;
  readonly to: string;
  readonly which: RawBuilder<SqlBool>;
}

async function countUpTo(
  database: Database,
  segment: string,
  where: RawBuilder<SqlBool>,
  most: number,
): Promise<number> {
  const { rows } = await byBlockRange(database, (db) =>
    sql<{ count: string }>`
      SELECT count(*) FROM (SELECT FROM ${sql.table(segment)} WHERE ${where} LIMIT ${most}) AS e`.execute(db),
  );
  return Number(rows[0]!.count);
}

function deleteBatch(db: Kysely<unknown>, segment: string, doomed: RawBuilder<SqlBool>): Promise<number> {
  const table = sql.table(segment);
  return unstoreEvents(
    db,
    sql`DELETE FROM ${table} WHERE ctid = ANY(ARRAY(
          SELECT ctid FROM ${table} WHERE ${doomed} LIMIT ${BATCH} FOR UPDATE SKIP LOCKED
        )) RETURNING ${UNSTORED_COLUMNS}`,
  );
}

const iso = (ms: number): string => new Date(ms).toISOString();
