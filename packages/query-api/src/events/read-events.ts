import { type RawBuilder, sql, type SqlBool } from 'kysely';
import type { StoredEvent } from '@sluice/events/adapters/to-wire';
import type { Database } from '@sluice/store/database';
import { isoTime } from '@sluice/store/iso-time';
import {
  conditionsOf,
  readableSegments,
  type ReadableSegment,
  type WantedRows,
  withMicroseconds,
} from '@sluice/store/layout/readable-segments';
import { type WalkOrder, walkSegments } from '@sluice/store/layout/walk-segments';
import { readByIndex } from '@sluice/store/read-by-index';
import { READ_CHUNK_BYTES } from '@sluice/store/read-payload';
import { wireColumns } from '@sluice/store/wire-columns';
import type { UntilGone } from '../http/client-gone.ts';
import { comesAfter, type List, type Order, type Place, placeOf } from '../http/paging.ts';
import { chunkOfEvents } from './chunk-of-events.ts';
import { allOf, type EventFilter, splitFilter } from './event-filter.ts';

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
export async function placeAfter(
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

/** The key of an event. */
export type Key = Pick<StoredEvent, 'occurred_at' | 'event_id'>;

/** A query for the first rows of a list in some segments: one index scan for each value and each kind of segment. */
export function firstMatches(
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
