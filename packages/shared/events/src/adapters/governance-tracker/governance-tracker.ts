import { MAX_EVENT_TYPE_CHARS, MAX_FUTURE_MS } from '../../canonical-event.ts';
import { isUuid, resolveEventId } from '../../event-id.ts';
import { indexedText } from '../../indexed-text.ts';
import { locateElements } from '../../json/locate-events.ts';
import { parseTimestamp } from '../../timestamp.ts';
import type { EventAdapter, JsonObject, Rejection } from '../event-adapter.ts';
import { spell } from '../stored-event.ts';
import { countPlainEvents } from './plain-batch.ts';
import { TEXT_FIELDS } from './text-fields.ts';

const SOURCE = 'governance-tracker';

/** `{"events":[…]}`, as Excel add-in fleets send audit events. */
export const governanceTracker: EventAdapter = {
  source: SOURCE,

  eventsOf(body) {
    if (typeof body !== 'object' || body === null || Array.isArray(body)) return null;
    const events = (body as JsonObject)['events'];
    return Array.isArray(events) ? events : null;
  },

  locate: (body) => locateElements(body, 'events'),
  around: { open: '{"events":[', close: ']}' },
  holds: 'many',
  countPlain: countPlainEvents,

  givenId: ({ eventId }) => (typeof eventId === 'string' ? eventId : null),

  // Most events pass countPlainEvents and never get here: it must know each rule that is added here.
  validate(event, receivedAt) {
    const type = event['eventType'];
    if (typeof type !== 'string') return notText('eventType', type);
    if (type === '') return missing('eventType');
    if (type.length > MAX_EVENT_TYPE_CHARS) {
      return {
        code: 'field_too_long',
        field: 'eventType',
        message: `eventType has ${type.length} characters; the limit is ${MAX_EVENT_TYPE_CHARS}.`,
      };
    }
    const time = event['timestamp'];
    if (typeof time !== 'string') return notText('timestamp', time);
    const timestamp = parseTimestamp(time);
    if (timestamp === null) {
      return {
        code: 'invalid_timestamp',
        field: 'timestamp',
        message: 'timestamp must be RFC 3339 with a time zone, e.g. 2026-01-31T09:30:00.000Z.',
      };
    }
    if (timestamp.ms > receivedAt + MAX_FUTURE_MS) {
      return {
        code: 'timestamp_in_future',
        field: 'timestamp',
        message: 'timestamp lies more than 24 hours after the time on the server.',
      };
    }
    for (const field of TEXT_FIELDS) {
      const value = event[field];
      if (typeof value !== 'string' && value !== null && value !== undefined) return notText(field, value);
    }
    return null;
  },

  project(event, origin) {
    const { eventId, eventType, timestamp, userName, sessionId, correlationId, workbookName, ...payload } =
      event as Record<string, unknown>;
    // A value that its column cannot hold unchanged stays in the payload too, so that reading returns it.
    const isId = typeof eventId === 'string' && isUuid(eventId);
    if (typeof eventId === 'string' && eventId !== '' && !isId) payload['eventId'] = eventId;
    const column = (name: string, value: unknown): string | null => {
      if (typeof value !== 'string' || value === '') {
        if (value === '') payload[name] = '';
        return null;
      }
      const text = indexedText(value);
      if (text.length !== value.length) payload[name] = value;
      return text;
    };
    return {
      tenant: origin.tenant,
      // Tested once for each event: a second test of the pattern takes 5 % of the writer's own time.
      eventId: isId ? eventId.toLowerCase() : resolveEventId(origin.tenant, eventId, origin.batchId, origin.index),
      eventType: String(eventType),
      occurredAt: parseTimestamp(String(timestamp))?.iso ?? origin.receivedAt,
      receivedAt: origin.receivedAt,
      actor: column('userName', userName),
      sessionId: column('sessionId', sessionId),
      correlationId: column('correlationId', correlationId),
      resource: column('workbookName', workbookName),
      clientIp: origin.clientIp,
      traceId: origin.traceId,
      source: SOURCE,
      payload: JSON.stringify(payload),
    };
  },

  toWire: (row, payload) =>
    spell(row, payload, {
      userName: row.actor,
      sessionId: row.session_id,
      correlationId: row.correlation_id,
      workbookName: row.resource,
    }),
};

function missing(field: string): Rejection {
  return { code: 'missing_field', field, message: `${field} is missing.` };
}

function notText(field: string, value: unknown): Rejection {
  if (value === undefined || value === null) return missing(field);
  const found = Array.isArray(value) ? 'an array' : typeof value === 'object' ? 'an object' : `a ${typeof value}`;
  return { code: 'invalid_type', field, message: `${field} must be text, not ${found}.` };
}
