import { type Kysely, type RawBuilder, sql, type SqlBool } from 'kysely';
import { ApiError } from '@sluice/errors/api-errors';
import type { StoredEvent } from '@sluice/events/adapters/to-wire';
import { eventIdFromName, isUuid } from '@sluice/events/event-id';
import { WIRE_COLUMNS } from '@sluice/store/wire-columns';
import type { UntilGone } from '../http/client-gone.ts';
import { comesAfter, type List, type Order, type Place, placeOf } from '../http/paging.ts';
import { allOf, type EventFilter, matchesFilter, splitFilter, storedSince } from './event-filter.ts';

/** Events in one read: four statements make the largest page, and 251 of the largest events are 64 MiB. */
const CHUNK_EVENTS = 251;

/** A page ends early after this much payload, in characters. */
const MAX_PAGE_CHARS = 8 * 1024 * 1024;

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

/** The events of one page, and whether more may follow. */
export interface EventPage {
  readonly events: readonly StoredEvent[];
  readonly more: boolean;
}

/**
 * Reads one page, in chunks: large events make a short page instead of a large process.
 *
 * @param offset events to skip at the beginning
 */
export async function readEventPage(
  db: Kysely<unknown>,
  list: EventList,
  { limit, offset = 0 }: { limit: number; offset?: number | undefined },
  untilGone: UntilGone,
): Promise<EventPage> {
  const events: StoredEvent[] = [];
  let chars = 0;
  let after = list.after;
  while (chars < MAX_PAGE_CHARS) {
    // One more than asked for tells whether there is a next page.
    const wanted = Math.min(CHUNK_EVENTS, limit + 1 - events.length);
    const skip = events.length === 0 ? offset : 0;
    const chunk = await readEvents(db, { ...list, after }, { limit: wanted, offset: skip }, untilGone);
    events.push(...chunk);
    if (events.length > limit) return { events: events.slice(0, limit), more: true };
    if (chunk.length < wanted) return { events, more: false };
    chars += chunk.reduce((sum, { payload }) => sum + payload.length, 0);
    after = placeOf(events.at(-1)!, BY_EVENT_TIME);
  }
  return { events, more: true };
}

/** Reads the next events of a list, in one statement. */
export async function readEvents(
  db: Kysely<unknown>,
  { filter, order, after }: EventList,
  { limit, offset = 0 }: { limit: number; offset?: number },
  untilGone: UntilGone,
): Promise<readonly StoredEvent[]> {
  const byTime = order === 'asc' ? BY_TIME : BY_TIME_BACKWARDS;
  const beyond = after === undefined ? [] : conditionsAfter(after, order);
  const arms = splitFilter(filter).map(
    (condition) => sql`
      (SELECT event_id, event_type, occurred_at, actor, session_id, correlation_id, resource, source, payload
       FROM events WHERE ${allOf([condition, ...beyond])} ${byTime} LIMIT ${limit + offset})`,
  );
  const { rows } = await sql<StoredEvent>`
    SELECT ${WIRE_COLUMNS} FROM (${sql.join(arms, sql` UNION ALL `)}) AS events
    ${byTime} LIMIT ${limit} OFFSET ${offset}`.execute(db, untilGone);
  return rows;
}

// With the table's name: else the order would be by the selected text of the same name.
const BY_TIME = sql`ORDER BY events.occurred_at, events.event_id`;
const BY_TIME_BACKWARDS = sql`ORDER BY events.occurred_at DESC, events.event_id DESC`;

function conditionsAfter(place: Place, order: Order): RawBuilder<SqlBool>[] {
  const after = comesAfter(place, { ...BY_EVENT_TIME, order });
  return order === 'asc' ? [storedSince(place[0]!), after] : [after];
}

/**
 * Reads one event by its id. The ledger knows when it was stored, and so its partition. Without the ledger every
 * partition would be searched (104 ms instead of 1.2).
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
  const ledger = await sql<{ stored_at: string }>`
    SELECT stored_at::text FROM event_ids WHERE tenant = ${tenant} AND event_id = ${eventId}::uuid`.execute(
    db,
    untilGone,
  );
  const storedAt = ledger.rows[0]?.stored_at;
  if (storedAt === undefined) throw noSuchEvent(id);
  const { rows } = await sql<StoredEvent>`
    SELECT ${WIRE_COLUMNS} FROM events
    WHERE stored_at = ${storedAt}::timestamptz AND tenant = ${tenant} AND event_id = ${eventId}::uuid`.execute(
    db,
    untilGone,
  );
  // Retention may drop its partition between the two statements.
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
