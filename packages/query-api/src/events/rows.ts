import { type Kysely, type RawBuilder, sql, type SqlBool } from 'kysely';
import { ApiError } from '@sluice/errors/api-errors';
import { type StoredEvent, toWire } from '@sluice/events/adapters/to-wire';
import { eventIdFromName, isUuid } from '@sluice/events/event-id';
import { READ_CHUNK_BYTES } from '@sluice/store/read-payload';
import { WIRE_COLUMNS, wireColumns } from '@sluice/store/wire-columns';
import type { UntilGone } from '../http/client-gone.ts';
import type { HeldAnswer } from '../http/held-answers.ts';
import { comesAfter, type List, type Order, type Place, placeOf } from '../http/paging.ts';
import { chunkOfEvents } from './chunk-of-events.ts';
import { allOf, type EventFilter, matchesFilter, splitFilter, storedSince } from './event-filter.ts';

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
  db: Kysely<unknown>,
  list: EventList,
  { limit, offset = 0 }: { limit: number; offset?: number | undefined },
  { gone, held }: Reading,
): Promise<EventPage> {
  const events: string[] = [];
  let after = list.after;
  let most = CHUNK_EVENTS;
  const until = performance.now() + PAGE_MS;
  for (let chars = 0; chars < MAX_PAGE_CHARS && performance.now() < until;) {
    // One more than asked for tells whether there is a next page.
    const wanted = Math.min(most, limit + 1 - events.length);
    const skip = events.length === 0 ? offset : 0;
    const budget = Math.min(READ_CHUNK_BYTES, MAX_PAGE_CHARS - chars);
    const chunk = await readEvents(db, { ...list, after }, { limit: wanted, offset: skip, budget }, gone);
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
 * Reads the next events of a list, in one statement.
 *
 * @param budget characters of payload after which no more are read; at least one event is
 */
export async function readEvents(
  db: Kysely<unknown>,
  { filter, order, after }: EventList,
  { limit, offset = 0, budget = READ_CHUNK_BYTES }: { limit: number; offset?: number; budget?: number },
  untilGone: UntilGone,
): Promise<EventChunk> {
  const byTime = BY_TIME[order];
  const beyond = after === undefined ? [] : conditionsAfter(after, order);
  const arms = splitFilter(filter).map(
    (condition) => sql`
      (SELECT * FROM events WHERE ${allOf([condition, ...beyond])} ORDER BY ${byTime} LIMIT ${limit + offset})`,
  );
  const found = sql`
    SELECT * FROM (${sql.join(arms, sql` UNION ALL `)}) AS events ORDER BY ${byTime} LIMIT ${limit} OFFSET ${offset}`;
  const { rows } = await sql<StoredEvent & { read_found: string }>`
    SELECT ${wireColumns(sql`payload`)}, read_found FROM (${chunkOfEvents(found, byTime, budget)}) AS events
    ORDER BY chunk_row`.execute(db, untilGone);
  const count = Number(rows[0]?.read_found ?? 0);
  const chars = rows.reduce((sum, { payload }) => sum + payload.length, 0);
  return { events: rows, chars, more: rows.length < count || count === limit };
}

const BY_TIME = { asc: sql`occurred_at, event_id`, desc: sql`occurred_at DESC, event_id DESC` } as const;

function conditionsAfter(place: Place, order: Order): RawBuilder<SqlBool>[] {
  const after = comesAfter(place, { ...BY_EVENT_TIME, order });
  return order === 'asc' ? [storedSince(place[0]!), after] : [after];
}

/**
 * Reads one event by its id, from the unique indexes of the segments.
 *
 * @param id a UUID, or any other text that the client sent as the id
 * @throws ApiError `not_found`, also for an event of another tenant
 */
export async function findEvent(
  db: Kysely<unknown>,
  tenant: string,
  id: string,
  untilGone: UntilGone,
): Promise<StoredEvent> {
  const eventId = isUuid(id) ? id.toLowerCase() : eventIdFromName(tenant, id);
  const { rows } = await sql<StoredEvent>`
    SELECT ${WIRE_COLUMNS} FROM events WHERE tenant = ${tenant} AND event_id = ${eventId}::uuid`.execute(db, untilGone);
  if (rows[0] === undefined) throw noSuchEvent(id);
  return rows[0];
}

function noSuchEvent(id: string): ApiError {
  return new ApiError('not_found', `There is no event ${id}.`);
}

/** How to get a total: by counting, or from the planner's statistics, which costs a millisecond. */
export type TotalMethod = 'exact' | 'estimated';

/** Counts the matching events. */
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
