import { sql } from 'kysely';
import type { CanonicalEvent } from '@sluice/shared/events/canonical-event';
import { inTransaction } from '@sluice/shared/database/in-transaction';
import type { Orm } from '@sluice/shared/database/orm';

/** What one transaction did. */
export interface Written {
  /** Events that are new. */
  readonly stored: number;
  /** Events whose id was there before, in the database or earlier in the same batch. */
  readonly duplicates: number;
}

/**
 * Stores events in one transaction: ids into the ledger, the events whose id is new into `events`, and
 * sessions counted from just these. One statement, one round trip between BEGIN and COMMIT.
 *
 * Order prevents deadlock: ledger rows go in by (tenant, event_id) and sessions by their key. Unordered,
 * concurrent batches with the same ids deadlocked in 9 of 24 tries in spite of DO NOTHING; ordered, never
 * in 180.
 *
 * @param stop cancels the statement on the server; the transaction is then rolled back
 * @throws what Postgres answered; nothing of the batch is stored then, unless the answer to COMMIT was lost
 */
export async function writeEvents(orm: Orm, events: readonly CanonicalEvent[], stop?: AbortSignal): Promise<Written> {
  const unique = firstOfEachId(events);
  const stored = await inTransaction(orm, async (db) => {
    const result = await insertStatement(unique).execute(db, {
      signal: stop,
      inflightQueryAbortStrategy: 'cancel query',
    });
    return Number(result.rows[0]?.stored ?? 0);
  });
  return { stored, duplicates: events.length - stored };
}

/** A batch may hold an id twice; ON CONFLICT sees that for the ledger, but the join back would double it. */
function firstOfEachId(events: readonly CanonicalEvent[]): CanonicalEvent[] {
  const byId = new Map<string, CanonicalEvent>();
  for (const event of events) {
    const key = `${event.eventId}${event.tenant}`;
    if (!byId.has(key)) byId.set(key, event);
  }
  return [...byId.values()];
}

function insertStatement(events: readonly CanonicalEvent[]) {
  const column = <K extends keyof CanonicalEvent>(name: K): CanonicalEvent[K][] => events.map((event) => event[name]);
  // unnest() would flatten an array of arrays, so each event's flags travel as one array literal.
  const flags = events.map((event) => (event.flags === null ? null : `{${event.flags.join(',')}}`));
  return sql<{ stored: string }>`
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
      RETURNING tenant, session_id, actor, occurred_at
    ), seen AS (
      INSERT INTO sessions AS s (tenant, session_id, actor, started_at, last_event_at, last_seen_at, event_count)
      SELECT tenant, session_id, max(actor), min(occurred_at), max(occurred_at), now(), count(*)
      FROM stored WHERE session_id IS NOT NULL
      GROUP BY tenant, session_id ORDER BY tenant, session_id
      ON CONFLICT (tenant, session_id) DO UPDATE SET
        actor = coalesce(s.actor, excluded.actor),
        started_at = least(s.started_at, excluded.started_at),
        last_event_at = greatest(s.last_event_at, excluded.last_event_at),
        last_seen_at = greatest(s.last_seen_at, excluded.last_seen_at),
        event_count = s.event_count + excluded.event_count,
        ended_at = NULL
    )
    SELECT count(*) AS stored FROM stored`;
}
