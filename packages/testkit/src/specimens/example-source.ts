import { ApiError } from '@sluice/errors/api-errors';
import type { Door } from '@sluice/events/adapters/door';
import { bodyOf, type EventAdapter, type JsonObject } from '@sluice/events/adapters/event-adapter';
import { SLUICE_KEYS } from '@sluice/events/adapters/key-places';
import { resolveEventId } from '@sluice/events/event-id';
import { locateElements } from '@sluice/events/json/locate-events';
import { readBody } from '@sluice/events/json/read-body';
import { parseTimestamp } from '@sluice/events/timestamp';
import type { Random } from '../random.ts';
import { jsonObject, property } from './random-events.ts';
import type { Specimen } from './specimen.ts';

/**
 * A source in the shape of SDKs, which no client uses: `{"key":…,"sentAt":…,"batch":[{"id","name","at",…}]}`. Its key
 * is in the body and must not reach the stream. Its time of sending, outside the events, corrects the time of each.
 */
const exampleAdapter: EventAdapter = {
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
    return {
      ...payload,
      ...(id === undefined ? {} : { id }),
      ...(at === undefined ? {} : { at }),
      name: row.event_type,
    };
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
    // The bytes of the events alone.
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

/** How clients of the example write and send events. */
export const exampleSpecimen: Specimen = {
  adapter: exampleAdapter,
  doors: [
    {
      door: exampleDoor,
      request: (events, key) => ({
        body: Buffer.from(
          `{"sentAt":"2026-11-21T09:20:00.000Z","batch":[${events.join(', ')}]${key === null ? '' : `,"key":"${key}"`}}`,
        ),
        headers: {},
        query: {},
      }),
    },
  ],
  event: (random: Random) =>
    jsonObject([
      `"name":"Order Completed"`,
      ...random.list(1, () => `"id":"ajs-next-${random.int(2 ** 40)}"`),
      ...random.list(1, () => '"at":"2026-11-21T09:19:59.000Z"'),
      ...random.list(3, () => property(random)),
    ]),
  withValue: (value) => `{"name":"n","properties":${value}}`,
  levels: 1,
  rejected: [
    { event: '{}', code: 'missing_field' },
    { event: '[]', code: 'not_an_object' },
  ],
  givenBack: (event) => ({ ...event }),
};
