import { ApiError } from '@sluice/errors/api-errors';
import type { Door } from '../../../src/adapters/door.ts';
import { bodyOf, type EventAdapter, type JsonObject } from '../../../src/adapters/event-adapter.ts';
import { SLUICE_KEYS } from '../../../src/adapters/key-places.ts';
import { spell } from '../../../src/adapters/stored-event.ts';
import { resolveEventId } from '../../../src/event-id.ts';
import { locateElements } from '../../../src/json/locate-events.ts';
import { readBody } from '../../../src/json/read-body.ts';
import { parseTimestamp } from '../../../src/timestamp.ts';

/**
 * A source as SDKs have it, which no client uses: `{"key":…,"sentAt":…,"batch":[{"id","name","at",…}]}`. Its key is in the
 * body and must not go on; its time of sending is beside the events, and corrects the time of each.
 */
export const exampleAdapter: EventAdapter = {
  source: 'example',
  holds: 'many',
  around: { open: '{"batch":[', close: ']}' },
  eventsOf(body) {
    const batch = typeof body === 'object' && body !== null ? (body as JsonObject)['batch'] : null;
    return Array.isArray(batch) ? batch : null;
  },
  locate: (body) => locateElements(body, 'batch'),
  givenId: ({ id }) => (typeof id === 'string' ? id : null),
  validate: ({ name }) => (typeof name === 'string' ? null : { code: 'missing_field', field: 'name', message: 'name' }),
  project(event, origin) {
    const { id, name, at, ...payload } = event as Record<string, unknown>;
    const time = parseTimestamp(String(at))?.ms ?? Date.parse(origin.receivedAt);
    const { sentAt } = origin.envelope ?? {};
    const skew = typeof sentAt === 'string' ? Date.parse(origin.receivedAt) - Date.parse(sentAt) : 0;
    return {
      tenant: origin.tenant,
      eventId: resolveEventId(origin.tenant, id, origin.batchId, origin.index),
      eventType: String(name).slice(0, 64),
      occurredAt: new Date(time + skew).toISOString(),
      receivedAt: origin.receivedAt,
      actor: null,
      sessionId: null,
      correlationId: null,
      resource: null,
      clientIp: origin.clientIp,
      traceId: origin.traceId,
      source: 'example',
      payload: JSON.stringify({ ...payload, id, at }),
    };
  },
  toWire(row, { id, at, ...payload }) {
    const { eventType } = spell(row, {}, {});
    return { ...payload, ...(id === undefined ? {} : { id }), ...(at === undefined ? {} : { at }), name: eventType };
  },
};

/** `POST /example`, with the key in the body, and everywhere else that a key can be. */
export const exampleDoor: Door = {
  method: 'POST',
  path: '/example',
  mediaTypes: ['application/json'],
  bodyLimit: 'batch',
  keys: [...SLUICE_KEYS, { in: 'basic' }, { in: 'query', name: 'key' }, { in: 'body', name: 'key' }],
  sites: false,
  schema: {},
  read({ body }) {
    const { bytes, parsed } = readBody(body);
    const events = exampleAdapter.eventsOf(parsed);
    if (events === null) throw new ApiError('invalid_body', 'The body must be an object with an array "batch".');
    const { key, sentAt } = parsed as JsonObject;
    // The events' own bytes, without what is around them.
    const own = exampleAdapter.locate(bytes).map(({ start, end }) => bytes.toString('utf8', start, end));
    const text = bodyOf(exampleAdapter, own.join(','));
    return {
      adapter: exampleAdapter,
      body: Buffer.from(text),
      eventCount: events.length,
      parsed: { events, text },
      key: typeof key === 'string' ? key : undefined,
      envelope: typeof sentAt === 'string' ? { sentAt: parseTimestamp(sentAt)?.iso } : undefined,
    };
  },
  answer: () => ({ status: 200, body: { success: true } }),
  answerNoneValid: () => ({ status: 200, body: { success: true } }),
  answerError: ({ statusCode, message }) => ({ status: statusCode, body: { success: false, message } }),
};
