import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { StoredEvent } from '@sluice/events/adapters/to-wire';
import { isoTime } from '@sluice/store/iso-time';
import { payloadForReading } from '@sluice/store/read-payload';

/** One row of an export, as Postgres returns it. */
export interface ExportRow extends StoredEvent {
  readonly tenant: string;
  /** ISO 8601 UTC with six decimals, as `occurred_at`. */
  readonly received_at: string;
  readonly stored_at: string;
  /** Whether the payload is too long to be read, and is a mark with its length instead. */
  readonly truncated: boolean;
}

/** The rows of `events` that meet a condition, for an export. */
export function exportRows(condition: RawBuilder<SqlBool>): RawBuilder<ExportRow> {
  return sql<ExportRow>`
    SELECT event_id, event_type, occurred_at, actor, session_id, correlation_id, resource, source, tenant, received_at,
           stored_at, payload,
           -- A client may have sent what looks like the mark.
           CASE WHEN length(payload) < 100 AND payload LIKE '{"_bytes": %' THEN payload::jsonb <> whole
                ELSE false END AS truncated
    FROM (
      SELECT event_id, event_type, ${isoTime('occurred_at')} AS occurred_at, actor, session_id, correlation_id, resource,
             source, tenant, ${isoTime('received_at')} AS received_at, ${isoTime('stored_at')} AS stored_at,
             payload AS whole, ${payloadForReading('payload')} AS payload
      FROM events WHERE ${condition} OFFSET 0
    ) AS stored`;
}

/** Turns such a time into microseconds since 1970. */
export function epochMicroseconds(iso: string): bigint {
  return BigInt(Date.parse(`${iso.slice(0, 23)}Z`)) * 1000n + BigInt(iso.slice(23, 26));
}
