import { type Kysely, type RawBuilder, sql, type SqlBool } from 'kysely';
import { type StoredEvent, toWire } from '@sluice/events/adapters/to-wire';
import { isoTime } from '@sluice/store/iso-time';
import { wireColumns } from '@sluice/store/wire-columns';
import { chunkOfEvents } from './chunk-of-events.ts';
import { MAX_PAGE_CHARS, PAGE_MS, type Reading } from './rows.ts';

/** The spans of time that are searched one after the other, in seconds; after the last one, all time. */
const SPANS = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000];

const NEWEST = sql`stored_at DESC, occurred_at DESC, event_id DESC`;

type Row = StoredEvent & { readonly stored: string; readonly read_found: string };

/**
 * Reads the events of a tenant that were stored last, newest first; fewer than the limit when they are large.
 *
 * `stored_at` has only a block range index, which finds a span of time but no order. So ever longer spans are read: at
 * most ten times what is needed.
 *
 * @throws ApiError `unread_answers` or `overloaded`, see `HeldAnswer`
 */
export async function readNewestStored(
  db: Kysely<unknown>,
  tenant: string,
  limit: number,
  { gone, held }: Reading,
): Promise<{ readonly events: readonly string[] }> {
  const within = await shortestSpan();
  const events: string[] = [];
  const until = performance.now() + PAGE_MS;
  let last: Row | undefined;
  for (let chars = 0; events.length < limit && chars < MAX_PAGE_CHARS && performance.now() < until;) {
    const newest = sql`
      SELECT * FROM events WHERE tenant = ${tenant} AND ${within} AND ${comesAfter(last)}
      ORDER BY ${NEWEST} LIMIT ${limit - events.length}`;
    const { rows } = await sql<Row>`
      SELECT ${wireColumns(sql`payload`)}, ${isoTime('stored_at')} AS stored, read_found
      FROM (${chunkOfEvents(newest, NEWEST)}) AS events ORDER BY chunk_row`.execute(db, gone);
    events.push(...rows.map((row) => JSON.stringify(toWire(row))));
    chars += rows.reduce((sum, { payload }) => sum + payload.length, 0);
    held.require(chars);
    last = rows.at(-1);
    if (rows.length === Number(last?.read_found ?? 0)) break;
  }
  return { events };

  /** The shortest span that has enough events. */
  async function shortestSpan(): Promise<RawBuilder<SqlBool>> {
    for (const seconds of SPANS) {
      const span = storedWithin(seconds);
      const { rows } = await sql<{ found: string }>`
        SELECT count(*) AS found FROM (
          SELECT FROM events WHERE tenant = ${tenant} AND ${span} LIMIT ${limit}) AS newest`.execute(db, gone);
      if (Number(rows[0]!.found) === limit) return span;
    }
    return sql<SqlBool>`true`;
  }
}

function comesAfter(row: Row | undefined): RawBuilder<SqlBool> {
  if (row === undefined) return sql<SqlBool>`true`;
  const { stored, occurred_at: occurredAt, event_id: id } = row;
  return sql<SqlBool>`
    (stored_at, occurred_at, event_id) < (${stored}::timestamptz, ${occurredAt}::timestamptz, ${id}::uuid)`;
}

/** The time is computed here, so that the planner prunes partitions. A clock that differs only makes a span useless. */
function storedWithin(seconds: number): RawBuilder<SqlBool> {
  return sql<SqlBool>`stored_at >= ${new Date(Date.now() - seconds * 1_000).toISOString()}::timestamptz`;
}
