import { MAX_EVENT_TYPE_CHARS, MAX_FUTURE_MS } from '../../canonical-event.ts';
import { isUuid, resolveEventId } from '../../event-id.ts';
import { indexedText } from '../../indexed-text.ts';
import { locateWhole } from '../../json/locate-events.ts';
import { digitsOf } from '../../json/parse-json.ts';
import { replaceUnstorableText } from '../../json/unstorable-text.ts';
import { parseTimestampLeniently } from '../../timestamp.ts';
import type { EventAdapter, EventOrigin, JsonObject } from '../event-adapter.ts';
import { spell } from '../stored-event.ts';

/** Type of a hit for which the page gives none. */
const DEFAULT_EVENT_TYPE = 'page_view';

const SOURCE = 'web-collection';

/**
 * One event a body, as web pages send it. Tracking must not break a page, so nothing is required and odd values are read
 * as well as possible. A value that its column cannot hold unchanged stays in the payload.
 */
export const webCollection: EventAdapter = {
  source: SOURCE,

  eventsOf(body) {
    return typeof body === 'object' && body !== null && !Array.isArray(body) ? [body] : null;
  },

  locate: (body) => [locateWhole(body)],
  around: { open: '', close: '' },
  holds: 'one',

  givenId: ({ eventId }) => (typeof eventId === 'string' ? eventId : null),

  validate(event, receivedAt) {
    const timestamp = parseTimestampLeniently(event['timestamp']);
    if (timestamp !== null && timestamp.ms > receivedAt + MAX_FUTURE_MS) {
      return {
        code: 'timestamp_in_future',
        field: 'timestamp',
        message: 'timestamp lies more than 24 hours after the time on the server.',
      };
    }
    return null;
  },

  project(event, origin) {
    const payload: Record<string, unknown> = { ...event };
    const timestamp = parseTimestampLeniently(event['timestamp']);
    if (timestamp !== null && timestamp.iso === event['timestamp']) delete payload['timestamp'];

    if (typeof event['eventId'] === 'string' && isUuid(event['eventId'])) delete payload['eventId'];

    const column = (name: string): string | null => {
      const given = textOf(event[name]);
      if (given === null || given === '') return null;
      const text = indexedText(given);
      if (text === event[name]) delete payload[name];
      return text;
    };
    const type = textOf(event['eventType']) || DEFAULT_EVENT_TYPE;
    // The cut may split a surrogate pair, and Postgres cannot store a half.
    const eventType = type.slice(0, MAX_EVENT_TYPE_CHARS).toWellFormed();
    if (eventType === event['eventType']) delete payload['eventType'];

    return {
      tenant: origin.tenant,
      eventId: collectedEventId(event, origin),
      eventType,
      occurredAt: timestamp?.iso ?? origin.receivedAt,
      receivedAt: origin.receivedAt,
      actor: column('visitorId'),
      sessionId: column('sessionId'),
      correlationId: column('correlationId'),
      resource: resourceOf(event, payload),
      clientIp: origin.clientIp,
      traceId: origin.traceId,
      source: SOURCE,
      payload: JSON.stringify(payload),
    };
  },

  toWire: (row, payload) =>
    spell(row, withoutUnread(payload), {
      visitorId: row.actor,
      sessionId: row.session_id,
      correlationId: row.correlation_id,
      path: pathOf(row.resource, payload),
    }),
};

/** The id under which an event is stored. Ingest answers with the same id. */
export function collectedEventId(event: JsonObject, origin: Pick<EventOrigin, 'tenant' | 'batchId' | 'index'>): string {
  const given = textOf(replaceUnstorableText(event['eventId']));
  return resolveEventId(origin.tenant, given, origin.batchId, origin.index);
}

/**
 * The payload without an id, a type and a time that could not be read as such: `yesterday`, or a list, which a query gives
 * that names one twice. Readers get what is stored instead; the row keeps what came.
 */
function withoutUnread({ eventId, eventType, timestamp, ...rest }: JsonObject): JsonObject {
  return {
    ...rest,
    ...(textOf(eventId) === null ? {} : { eventId }),
    ...(textOf(eventType) === null ? {} : { eventType }),
    ...(parseTimestampLeniently(timestamp) === null ? {} : { timestamp }),
  };
}

/** The page: its path, or the whole URL. The URL then stays in the payload too, because exports need both. */
function resourceOf(event: JsonObject, payload: Record<string, unknown>): string | null {
  const path = textOf(event['path']);
  const url = indexedText(textOf(event['url']) ?? '') || null;
  if (path !== null && path !== '') {
    const text = indexedText(path);
    // A path that equals the URL stays: without it, the row would look like one of a page that sent only its URL.
    if (text === event['path'] && text !== url) delete payload['path'];
    return text;
  }
  return url;
}

/**
 * The path that the page sent, or null. A hit without a path has its URL as the resource. A page that sent the same text
 * as both has its path in the payload.
 */
function pathOf(resource: string | null, { url }: JsonObject): string | null {
  const text = textOf(url);
  return text !== null && indexedText(text) === resource ? null : resource;
}

/** Text of a scalar: a page may send its visitor as a number. Null for objects, arrays and null. */
function textOf(value: unknown): string | null {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return digitsOf(value);
}
