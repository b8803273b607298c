import { type RawBuilder, sql } from 'kysely';
import type { StoredEvent } from '@sluice/events/adapters/to-wire';

/**
 * The columns of `events` that `toWire` needs, as it needs them: the time as text with microseconds, the payload as
 * text with all digits.
 */
export const WIRE_COLUMNS = sql`
  event_id, event_type, to_char(occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS occurred_at,
  actor, session_id, correlation_id, resource, source, payload::text AS payload` as RawBuilder<StoredEvent>;
