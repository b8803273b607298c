import { type RawBuilder, sql } from 'kysely';
import type { CanonicalEvent } from '@sluice/shared/events/canonical-event';

/** A row of `stored`: what sessions are counted from. */
export interface StoredRow {
  tenant: string;
  event_id: string;
  session_id: string | null;
  actor: string | null;
  occurred_at: Date;
}

/**
 * Ledger, events and sessions in one statement; the answer is how many events were new.
 *
 * Order prevents deadlock: ledger rows go in by (tenant, event_id) and sessions by their key. Unordered,
 * concurrent batches with the same ids deadlocked in 9 of 24 tries in spite of DO NOTHING; ordered, never
 * in 180.
 */
export function insertEventsAndSessions(events: readonly CanonicalEvent[]): RawBuilder<{ stored: string }> {
  return sql`${insertNew(events)}, seen AS (${upsertSessionsFrom(sql`stored`)})
    SELECT count(*) AS stored FROM stored`;
}

/** Ledger and events alone, for inside a savepoint; sessions are counted once, at the end, from what came back. */
export function insertEvents(events: readonly CanonicalEvent[]): RawBuilder<StoredRow> {
  return sql`${insertNew(events)} SELECT tenant, event_id, session_id, actor, occurred_at FROM stored`;
}

/** Counts sessions from rows that `insertEvents` gave back. */
export function upsertSessions(rows: readonly StoredRow[]): RawBuilder<unknown> {
  const column = <K extends keyof StoredRow>(name: K): StoredRow[K][] => rows.map((row) => row[name]);
  return upsertSessionsFrom(sql`unnest(
    ${column('tenant')}::text[], ${column('session_id')}::text[], ${column('actor')}::text[], ${column('occurred_at')}::timestamptz[]
  ) AS i (tenant, session_id, actor, occurred_at)`);
}

function insertNew(events: readonly CanonicalEvent[]): RawBuilder<unknown> {
  const column = <K extends keyof CanonicalEvent>(name: K): CanonicalEvent[K][] => events.map((event) => event[name]);
  // unnest() would flatten an array of arrays, so each event's flags travel as one array literal.
  const flags = events.map((event) => (event.flags === null ? null : `{${event.flags.join(',')}}`));
  return sql`
    WITH input AS (
      SELECT * FROM unnest(
        ${column('tenant')}::text[], ${column('eventId')}::uuid[], ${column('eventType')}::text[],
        ${column('occurredAt')}::timestamptz[], ${column('receivedAt')}::timestamptz[], ${column('actor')}::text[],
        ${column('sessionId')}::text[], ${column('correlationId')}::text[], ${column('resource')}::text[],
        ${column('clientIp')}::inet[], ${column('traceId')}::text[], ${column('source')}::text[],
        ${flags}::text[], ${column('payload')}::jsonb[]
      ) AS i (tenant, event_id, event_type, occurred_at, received_at, actor, session_id, correlation_id,
              resource, client_ip, trace_id, source, flags, payload)
    ), ledger AS (
      INSERT INTO event_ids (tenant, event_id, stored_at)
      SELECT tenant, event_id, now() FROM input ORDER BY tenant, event_id
      ON CONFLICT (tenant, event_id) DO NOTHING
      RETURNING tenant, event_id
    ), stored AS (
      INSERT INTO events (tenant, event_id, event_type, occurred_at, received_at, actor, session_id, correlation_id,
                          resource, client_ip, trace_id, source, flags, payload)
      SELECT tenant, event_id, event_type, occurred_at, received_at, actor, session_id, correlation_id,
             resource, client_ip, trace_id, source, flags::text[], payload
      FROM input JOIN ledger USING (tenant, event_id)
      RETURNING tenant, event_id, session_id, actor, occurred_at
    )`;
}

function upsertSessionsFrom(rows: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`
    INSERT INTO sessions AS s (tenant, session_id, actor, started_at, last_event_at, last_seen_at, event_count)
    SELECT tenant, session_id, max(actor), min(occurred_at), max(occurred_at), now(), count(*)
    FROM ${rows} WHERE session_id IS NOT NULL
    GROUP BY tenant, session_id ORDER BY tenant, session_id
    ON CONFLICT (tenant, session_id) DO UPDATE SET
      actor = coalesce(s.actor, excluded.actor),
      started_at = least(s.started_at, excluded.started_at),
      last_event_at = greatest(s.last_event_at, excluded.last_event_at),
      last_seen_at = greatest(s.last_seen_at, excluded.last_seen_at),
      event_count = s.event_count + excluded.event_count,
      ended_at = NULL`;
}
