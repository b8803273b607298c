import { type RawBuilder, sql } from 'kysely';
import type { CanonicalEvent } from '@sluice/events/canonical-event';
import { segmentTable } from '../layout/segment-table.ts';
import { arrayLiteral } from './array-literal.ts';
import type { Suspect } from './known-ids.ts';

/**
 * Inserts into the hot segment. The result is the number of new events.
 *
 * Order prevents deadlock: events go in by (event_id, tenant). Unordered, concurrent batches with the same ids deadlocked
 * in 9 of 24 tries in spite of DO NOTHING; ordered, never in 180.
 *
 * @param segment what `enterSegment` returned in this transaction
 * @param suspects where these ids must be looked up; without it, each in all older segments
 */
export function insertEvents(
  events: readonly CanonicalEvent[],
  segment: number,
  suspects?: readonly Suspect[],
): RawBuilder<{ stored: string }> {
  return sql`${insertNew(events, segment, suspects)} SELECT count(*) AS stored FROM stored`;
}

/**
 * Inserts the events whose id no segment has. Within the hot segment its unique index decides, at the moment of inserting;
 * older segments get no inserts any more, so to look is enough. Values that all events of an entry share are sent once for each entry, and all
 * payloads as one JSON text. So Postgres reads 500 events in 1.8 ms instead of 2.5, and no payload needs escaping.
 */
function insertNew(
  events: readonly CanonicalEvent[],
  segment: number,
  suspects: readonly Suspect[] = events.map(({ eventId }) => ({ id: eventId, from: 0, to: segment })),
): RawBuilder<unknown> {
  const { origins, originOf } = originsOf(events);
  const column = (name: TextField): string => arrayLiteral(events.map((event) => event[name]));
  const shared = (name: TextField): string => arrayLiteral(origins.map((event) => event[name]));
  // unnest() would flatten an array of arrays, so each event's flags are sent as one array literal.
  const flags = arrayLiteral(events.map((event) => (event.flags === null ? null : `{${event.flags.join(',')}}`)));
  const payloads = `[${events.map((event) => event.payload).join(',')}]`;
  return sql`
    WITH input AS (
      SELECT o.tenant, i.event_id, i.event_type, i.occurred_at, o.received_at, i.actor, i.session_id, i.correlation_id,
             i.resource, o.client_ip, o.trace_id, o.source, i.flags, i.payload
      FROM ROWS FROM (
        unnest(${`{${originOf.join(',')}}`}::int4[]), unnest(${column('eventId')}::uuid[]), unnest(${column('eventType')}::text[]),
        unnest(${column('occurredAt')}::timestamptz[]), unnest(${column('actor')}::text[]),
        unnest(${column('sessionId')}::text[]), unnest(${column('correlationId')}::text[]),
        unnest(${column('resource')}::text[]), unnest(${flags}::text[]), jsonb_array_elements(${payloads}::jsonb)
      ) AS i (origin, event_id, event_type, occurred_at, actor, session_id, correlation_id, resource, flags, payload)
      JOIN unnest(
        ${shared('tenant')}::text[], ${shared('receivedAt')}::timestamptz[], ${shared('clientIp')}::inet[],
        ${shared('traceId')}::text[], ${shared('source')}::text[]
      ) WITH ORDINALITY AS o (tenant, received_at, client_ip, trace_id, source, origin) ON o.origin = i.origin
    ), known AS MATERIALIZED (
      SELECT event_id, tenant FROM ${lookups(events, suspects)} AS s (event_id, tenant, first, beyond)
      -- A subquery that gives a value stays one, with an index scan for each id; EXISTS may become a join over everything.
      WHERE (SELECT true FROM events AS e
             WHERE e.event_id = s.event_id AND e.tenant = s.tenant AND e.segment >= s.first AND e.segment < s.beyond LIMIT 1)
    ), stored AS (
      INSERT INTO ${sql.table(segmentTable(segment))} (tenant, event_id, event_type, occurred_at, received_at, actor, session_id,
                          correlation_id, resource, client_ip, trace_id, source, flags, payload)
      SELECT tenant, event_id, event_type, occurred_at, received_at, actor, session_id, correlation_id,
             resource, client_ip, trace_id, source, flags::text[], payload
      FROM input AS i
      WHERE (event_id, tenant) NOT IN (SELECT event_id, tenant FROM known)
      ORDER BY event_id, tenant COLLATE "C"
      ON CONFLICT (event_id, tenant) DO NOTHING
      RETURNING event_id
    )`;
}

/** The suspects, once for each tenant that sends the id. */
function lookups(events: readonly CanonicalEvent[], suspects: readonly Suspect[]): RawBuilder<unknown> {
  const tenantsOf = new Map<string, string[]>();
  if (suspects.length > 0)
    for (const { eventId, tenant } of events) tenantsOf.set(eventId, [...(tenantsOf.get(eventId) ?? []), tenant]);
  const found = suspects.flatMap((suspect) =>
    (tenantsOf.get(suspect.id) ?? []).map((tenant) => ({ ...suspect, tenant })),
  );
  const list = (name: 'id' | 'from' | 'to'): string => `{${found.map((each) => each[name]).join(',')}}`;
  return sql`
    unnest(${list('id')}::uuid[], ${arrayLiteral(found.map(({ tenant }) => tenant))}::text[], ${list('from')}::int4[],
           ${list('to')}::int4[])`;
}

/** The fields of an event that are texts. */
type TextField = Exclude<keyof CanonicalEvent, 'flags' | 'payload'>;

/** The origins of events, one for each run of events with the same origin, and the number of each event's origin, from 1. */
function originsOf(events: readonly CanonicalEvent[]): { origins: CanonicalEvent[]; originOf: number[] } {
  const origins: CanonicalEvent[] = [];
  const originOf = events.map((event) => {
    const last = origins.at(-1);
    if (last === undefined || !isSameOrigin(last, event)) origins.push(event);
    return origins.length;
  });
  return { origins, originOf };
}

function isSameOrigin(one: CanonicalEvent, other: CanonicalEvent): boolean {
  return (
    one.tenant === other.tenant &&
    one.receivedAt === other.receivedAt &&
    one.clientIp === other.clientIp &&
    one.traceId === other.traceId &&
    one.source === other.source
  );
}
