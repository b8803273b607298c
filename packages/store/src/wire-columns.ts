import { type RawBuilder, sql } from 'kysely';
import type { StoredEvent } from '@sluice/events/adapters/to-wire';
import { isoTime } from './iso-time.ts';
import { payloadForReading } from './read-payload.ts';

/**
 * The columns of `events` that `toWire` needs, as it needs them: the time as text with microseconds, the payload as
 * text with all digits.
 *
 * @param payload an expression for the payload's text
 */
export function wireColumns(payload: RawBuilder<unknown>): RawBuilder<StoredEvent> {
  return sql<StoredEvent>`
    event_id, event_type, ${isoTime('occurred_at')} AS occurred_at,
    actor, session_id, correlation_id, resource, source, ${payload} AS payload`;
}

/** The same, with the mark of `payloadForReading` in place of a payload that is too long. */
export const WIRE_COLUMNS = wireColumns(payloadForReading('payload'));
