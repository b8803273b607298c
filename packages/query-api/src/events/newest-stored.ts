import { type RawBuilder, sql, type SqlBool } from 'kysely';
import { type StoredEvent, toWire } from '@sluice/events/adapters/to-wire';
import type { Database } from '@sluice/store/database';
import { isoTime } from '@sluice/store/iso-time';
import { inSegments, readableSegments, type ReadableSegment } from '@sluice/store/layout/readable-segments';
import { byStoring, inGroups, type ReadRows, type WalkOrder, walkSegments } from '@sluice/store/layout/walk-segments';
import { readByIndex } from '@sluice/store/read-by-index';
import { wireColumns } from '@sluice/store/wire-columns';
import type { UntilGone } from '../http/client-gone.ts';
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
  database: Database,
  tenant: string,
  limit: number,
  { gone, held }: Reading,
): Promise<{ readonly events: readonly string[] }> {
  const since = await shortestSpan(database, tenant, limit, gone);
  const events: string[] = [];
  const until = performance.now() + PAGE_MS;
  let last: Row | undefined;
  for (let chars = 0; events.length < limit && chars < MAX_PAGE_CHARS && performance.now() < until;) {
    const span: Span = { tenant, since, after: last };
    const { rows, isCut } = await readChunk(database, span, limit - events.length, gone);
    events.push(...rows.map((row) => JSON.stringify(toWire(row))));
    chars += rows.reduce((sum, { payload }) => sum + payload.length, 0);
    held.require(chars);
    last = rows.at(-1);
    if (!isCut) break;
  }
  return { events };
}

/** A span of time up to now, from the newest event on or from one after another. */
interface Span {
  readonly tenant: string;
  /** ISO 8601 UTC; null for all time. */
  readonly since: string | null;
  readonly after: Row | undefined;
}

/** The start of the shortest span that has enough events. */
async function shortestSpan(
  database: Database,
  tenant: string,
  limit: number,
  gone: UntilGone,
): Promise<string | null> {
  for (const seconds of SPANS) {
    // A clock that differs from the server's only makes a span useless.
    const since = new Date(Date.now() - seconds * 1_000).toISOString();
    if ((await countUpTo(database, { tenant, since, after: undefined }, limit, gone)) === limit) return since;
  }
  return null;
}

async function countUpTo(database: Database, span: Span, limit: number, gone: UntilGone): Promise<number> {
  let found = 0;
  for (const some of inGroups(await segmentsOf(database, span), byStoring)) {
    const { rows } = await readByIndex(database, (db) =>
      sql<{ found: string }>`
        SELECT count(*) AS found FROM (
          SELECT FROM events WHERE ${isIn(span, some)} LIMIT ${limit - found}) AS newest`.execute(db, gone),
    );
    found += Number(rows[0]!.found);
    if (found === limit) break;
  }
  return found;
}

async function readChunk(database: Database, span: Span, limit: number, gone: UntilGone): Promise<ReadRows<Row>> {
  const order: WalkOrder<Row> = {
    ...byStoring,
    keyOf: ({ stored, occurred_at: occurredAt, event_id: id }) => [stored, occurredAt, id],
  };
  return walkSegments(await segmentsOf(database, span), { limit, ...order }, async (some, until) => {
    const beyond = until === undefined ? sql<SqlBool>`true` : sql<SqlBool>`stored_at >= ${until.stored}::timestamptz`;
    const newest = sql`
      SELECT * FROM events WHERE ${isIn(span, some)} AND ${comesAfter(span.after)} AND ${beyond}
      ORDER BY ${NEWEST} LIMIT ${limit}`;
    const { rows } = await readByIndex(database, (db) =>
      sql<Row>`
        SELECT ${wireColumns(sql`payload`)}, ${isoTime('stored_at')} AS stored, read_found
        FROM (${chunkOfEvents(newest, NEWEST)}) AS events ORDER BY chunk_row`.execute(db, gone),
    );
    const found = Number(rows[0]?.read_found ?? 0);
    return { rows, isCut: rows.length < found || found === limit };
  });
}

function segmentsOf(database: Database, { since, after }: Span): Promise<ReadableSegment[]> {
  return readableSegments(database.db, { storedFrom: since ?? undefined, storedUntil: after?.stored });
}

function isIn({ tenant, since }: Span, segments: readonly ReadableSegment[]): RawBuilder<SqlBool> {
  const inSpan = since === null ? sql<SqlBool>`true` : sql<SqlBool>`stored_at >= ${since}::timestamptz`;
  return sql<SqlBool>`tenant = ${tenant} AND ${inSegments(segments)} AND ${inSpan}`;
}

function comesAfter(row: Row | undefined): RawBuilder<SqlBool> {
  if (row === undefined) return sql<SqlBool>`true`;
  const { stored, occurred_at: occurredAt, event_id: id } = row;
  return sql<SqlBool>`
    (stored_at, occurred_at, event_id) < (${stored}::timestamptz, ${occurredAt}::timestamptz, ${id}::uuid)`;
}
