import { type Kysely, type RawBuilder, sql, type SqlBool } from 'kysely';
import { ApiError } from '@sluice/errors/api-errors';
import { type StoredEvent, toWire } from '@sluice/events/adapters/to-wire';
import { eventIdFromName, isUuid } from '@sluice/events/event-id';
import type { Database } from '@sluice/store/database';
import { isoTime } from '@sluice/store/iso-time';
import {
  conditionsOf,
  inSegments,
  readableSegments,
  type ReadableSegment,
  type WantedRows,
  withMicroseconds,
} from '@sluice/store/layout/readable-segments';
import { inGroups, type WalkOrder, walkSegments } from '@sluice/store/layout/walk-segments';
import { readByIndex } from '@sluice/store/read-by-index';
import { READ_CHUNK_BYTES } from '@sluice/store/read-payload';
import { WIRE_COLUMNS, wireColumns } from '@sluice/store/wire-columns';
import type { UntilGone } from '../http/client-gone.ts';
import type { HeldAnswer } from '../http/held-answers.ts';
import { comesAfter, type List, type Order, type Place, placeOf } from '../http/paging.ts';
import { chunkOfEvents } from './chunk-of-events.ts';
import { allOf, type EventFilter, matchesFilter, splitFilter } from './event-filter.ts';

/** Most events in one statement; their payloads together are at most `READ_CHUNK_BYTES`. */
const CHUNK_EVENTS = 251;

/** A page ends early after this many characters of payload. */
export const MAX_PAGE_CHARS = 8 * 1024 * 1024;

/** A page ends early after this time, in milliseconds: monsters take Postgres a tenth of a second each. */
export const PAGE_MS = 10_000;

/** The key of lists of events: the time at which they occurred. */
export const BY_EVENT_TIME = { key: { occurred_at: 'timestamptz', event_id: 'uuid' } } as const;

/** The list of events in the order in which they occurred. @param of what the cursors of the list belong to */
export function eventList(of: unknown, order: Order): List {
  return { of, order, ...BY_EVENT_TIME };
}

/** Selects events and their order. */
export interface EventList {
  readonly filter: EventFilter;
  readonly order: Order;
  /** Begins after this one. */
  readonly after?: Place | undefined;
}

/** The request that reads. */
export interface Reading {
  /** Ends statements when the client hangs up. */
  readonly gone: UntilGone;
  /** Counts what was read, until the client has it. */
  readonly held: HeldAnswer;
}

/** One page of events. */
export interface EventPage {
  /** The events as JSON, in their wire shape. */
  readonly events: readonly string[];
  /** Where the page ended; null when no more events follow. */
  readonly end: Place | null;
}

/**
 * Reads one page, in chunks: large events make a short page instead of a large process. Each chunk becomes JSON before
 * the next is read, because parsed payloads take many times the memory of their text.
 *
 * @param offset events to skip at the beginning
 * @throws ApiError `unread_answers` or `overloaded`, see `HeldAnswer`
 */
export async function readEventPage(
  database: Database,
  list: EventList,
  { limit, offset = 0 }: { limit: number; offset?: number | undefined },
  { gone, held }: Reading,
): Promise<EventPage> {
  const events: string[] = [];
  let { after } = list;
  if (offset > 0) {
    const place = await placeAfter(database, list, offset, gone);
    if (place === null) return { events, end: null };
    after = place;
  }
  let most = CHUNK_EVENTS;
  const until = performance.now() + PAGE_MS;
  for (let chars = 0; chars < MAX_PAGE_CHARS && performance.now() < until;) {
    // One more than asked for tells whether there is a next page.
    const wanted = Math.min(most, limit + 1 - events.length);
    const budget = Math.min(READ_CHUNK_BYTES, MAX_PAGE_CHARS - chars);
    const chunk = await readEvents(database, { ...list, after }, { limit: wanted, budget }, gone);
    for (const event of chunk.events) {
      if (events.length === limit) return { events, end: after! };
      events.push(JSON.stringify(toWire(event)));
      after = placeOf(event, BY_EVENT_TIME);
    }
    if (!chunk.more) return { events, end: null };
    chars += chunk.chars;
    held.require(chars);
    // Where few events fill a chunk, Postgres need not measure many.
    most = Math.min(CHUNK_EVENTS, 2 * chunk.events.length);
  }
  return { events, end: after! };
}

/** Some events of a list. */
export interface EventChunk {
  readonly events: readonly StoredEvent[];
  /** Characters of their payloads. */
  readonly chars: number;
  /** Whether more may follow. */
  readonly more: boolean;
}

/**
 * Reads the next events of a list, from the segments that may hold them.
 *
 * @param budget characters of payload after which no more are read; at least one event is
 */
export async function readEvents(
  database: Database,
  { filter, order, after }: EventList,
  { limit, budget = READ_CHUNK_BYTES }: { limit: number; budget?: number },
  untilGone: UntilGone,
): Promise<EventChunk> {
  const byTime = BY_TIME[order];
  const segments = await readableSegments(database.db, wantedRows({ filter, order, after }));
  const { rows, isCut } = await walkSegments(segments, { limit, ...walkOf<FoundEvent>(order) }, async (some, until) => {
    const found = firstMatches(some, { filter, order, after, until, limit });
    const { rows: read } = await readByIndex(database, (db) =>
      sql<FoundEvent>`
        SELECT ${wireColumns(sql`payload`)}, read_found FROM (${chunkOfEvents(found, byTime, budget)}) AS events
        ORDER BY chunk_row`.execute(db, untilGone),
    );
    const count = Number(read[0]?.read_found ?? 0);
    return { rows: read, isCut: read.length < count || count === limit };
  });
  return withinBudget(rows, isCut, budget);
}

type FoundEvent = StoredEvent & { readonly read_found: string };

/** Each segment's read was within the budget; together they may be more. */
function withinBudget(rows: readonly StoredEvent[], isCut: boolean, budget: number): EventChunk {
  let chars = 0;
  for (const [at, { payload }] of rows.entries()) {
    if (at > 0 && chars + payload.length > budget) return { events: rows.slice(0, at), chars, more: true };
    chars += payload.length;
  }
  return { events: rows, chars, more: isCut };
}

/** The place of the event before which `offset` events of the list are; null when it has no more than these. */
async function placeAfter(
  database: Database,
  list: EventList,
  offset: number,
  untilGone: UntilGone,
): Promise<Place | null> {
  const segments = await readableSegments(database.db, wantedRows(list));
  const { rows } = await walkSegments(segments, { limit: offset, ...walkOf<Key>(list.order) }, async (some, until) => {
    const found = firstMatches(some, { ...list, until, limit: offset });
    const { rows: read } = await readByIndex(database, (db) =>
      sql<Key>`SELECT ${isoTime('occurred_at')} AS occurred_at, event_id FROM (${found}) AS events
               ORDER BY ${BY_TIME[list.order]}`.execute(db, untilGone),
    );
    return { rows: read, isCut: read.length === offset };
  });
  return rows.length < offset ? null : placeOf(rows.at(-1)!, BY_EVENT_TIME);
}

type Key = Pick<StoredEvent, 'occurred_at' | 'event_id'>;

/** A query for the first rows of a list in some segments: one index scan for each value and each kind of segment. */
function firstMatches(
  segments: readonly ReadableSegment[],
  { filter, order, after, until, limit }: EventList & { until: Key | undefined; limit: number },
): RawBuilder<unknown> {
  const byTime = BY_TIME[order];
  const beyond = [
    comesAfter(after, { ...BY_EVENT_TIME, order }),
    ...(until === undefined ? [] : [sql<SqlBool>`occurred_at ${BEFORE[order]} ${until.occurred_at}::timestamptz`]),
  ];
  const arms = conditionsOf(segments).flatMap(({ condition, hashed }) =>
    splitFilter(filter, { hashed }).map(
      (matches) => sql`
        (SELECT * FROM events WHERE ${allOf([matches, condition, ...beyond])} ORDER BY ${byTime} LIMIT ${limit})`,
    ),
  );
  return sql`SELECT * FROM (${sql.join(arms, sql` UNION ALL `)}) AS events ORDER BY ${byTime} LIMIT ${limit}`;
}

const BY_TIME = { asc: sql`occurred_at, event_id`, desc: sql`occurred_at DESC, event_id DESC` } as const;
const BEFORE = { asc: sql`<=`, desc: sql`>=` } as const;

function wantedRows({ filter, order, after }: EventList): WantedRows {
  const { start, end } = filter;
  const place = after?.[0];
  const isLater = place !== undefined && (start === undefined || withMicroseconds(start) < place);
  return order === 'asc'
    ? { occurredFrom: isLater ? place : start, occurredBefore: end }
    : { occurredFrom: start, occurredBefore: end, occurredUntil: place };
}

function walkOf<Row extends Key>(order: Order): WalkOrder<Row> {
  return {
    descending: order === 'desc',
    keyOf: (row) => placeOf(row, BY_EVENT_TIME),
    boundOf: ({ occurredFrom, occurredTo }) => (order === 'desc' ? occurredTo : occurredFrom),
  };
}

/**
 * Reads one event by its id, from the unique indexes of the segments.
 *
 * @param id a UUID, or any other text that the client sent as the id
 * @throws ApiError `not_found`, also for an event of another tenant
 */
export async function findEvent(
  database: Database,
  tenant: string,
  id: string,
  untilGone: UntilGone,
): Promise<StoredEvent> {
  const eventId = isUuid(id) ? id.toLowerCase() : eventIdFromName(tenant, id);
  for (const some of inGroups(await readableSegments(database.db), NEWEST_STORED)) {
    const { rows } = await readByIndex(database, (db) =>
      sql<StoredEvent>`
        SELECT ${WIRE_COLUMNS} FROM events
        WHERE tenant = ${tenant} AND event_id = ${eventId}::uuid AND ${inSegments(some)}`.execute(db, untilGone),
    );
    if (rows[0] !== undefined) return rows[0];
  }
  throw noSuchEvent(id);
}

const NEWEST_STORED = { descending: true, boundOf: ({ storedTo }: ReadableSegment) => storedTo } as const;

function noSuchEvent(id: string): ApiError {
  return new ApiError('not_found', `There is no event ${id}.`);
}

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
  for (const some of inGroups(segments, NEWEST_STORED)) {
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
