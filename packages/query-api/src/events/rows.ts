import { sql } from 'kysely';
import { ApiError } from '@sluice/errors/api-errors';
import { type StoredEvent, toWire } from '@sluice/events/adapters/to-wire';
import { eventIdFromName, isUuid } from '@sluice/events/event-id';
import type { Database } from '@sluice/store/database';
import { inSegments, readableSegments } from '@sluice/store/layout/readable-segments';
import { byStoring, inGroups } from '@sluice/store/layout/walk-segments';
import { READ_CHUNK_BYTES } from '@sluice/store/read-payload';
import { WIRE_COLUMNS } from '@sluice/store/wire-columns';
import type { UntilGone } from '../http/client-gone.ts';
import type { HeldAnswer } from '../http/held-answers.ts';
import { type Place, placeOf } from '../http/paging.ts';
import { BY_EVENT_TIME, type EventList, placeAfter, readEvents } from './read-events.ts';

/** Most events in one statement; their payloads together are at most `READ_CHUNK_BYTES`. */
const CHUNK_EVENTS = 251;

/** A page ends early after this many characters of payload. */
export const MAX_PAGE_CHARS = 8 * 1024 * 1024;

/** A page ends early after this time, in milliseconds: monsters take Postgres a tenth of a second each. */
export const PAGE_MS = 10_000;

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
  for (const some of inGroups(await readableSegments(database.db), byStoring)) {
    const { rows } = await sql<StoredEvent>`
      SELECT ${WIRE_COLUMNS} FROM events
      WHERE tenant = ${tenant} AND event_id = ${eventId}::uuid AND ${inSegments(some)}`.execute(database.db, untilGone);
    if (rows[0] !== undefined) return rows[0];
  }
  throw noSuchEvent(id);
}

function noSuchEvent(id: string): ApiError {
  return new ApiError('not_found', `There is no event ${id}.`);
}
