import { type RawBuilder, sql } from 'kysely';
import type { StoredEvent } from '@sluice/events/adapters/to-wire';
import { isoTime } from './iso-time.ts';

/**
 * The columns of `events` that `toWire` needs. The time is text with microseconds, the payload is text with all digits.
 */
export const WIRE_COLUMNS = sql`
  event_id, event_type, ${isoTime('occurred_at')} AS occurred_at,
  actor, session_id, correlation_id, resource, source, payload::text AS payload` as RawBuilder<StoredEvent>;
