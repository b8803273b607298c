import { describe, expect, it } from 'vitest';
import { adapterBySource } from '../../../src/adapters/registry.ts';
import { toWire } from '../../../src/adapters/to-wire.ts';
import { parseKeepingDigits } from '../../../src/json/parse-json.ts';

const BATCH = '5b2f4c1e-7a0d-4c58-9f36-1d8e6a90b7c4';
const ID = '0b3f6a52-6d0e-4c57-9a38-5f0d7a1c9e11';
const RECEIVED = '2026-01-31T10:00:00.000Z';

/** What comes back of an event's JSON text after an adapter, a row and `toWire`. */
function roundTrip(source: string, json: string): unknown {
  const event = adapterBySource(source)!.project(parseKeepingDigits(json) as Record<string, unknown>, {
    tenant: 'default',
    batchId: BATCH,
    index: 0,
    receivedAt: RECEIVED,
    clientIp: null,
    traceId: null,
  });
  const wire = toWire({
    event_id: event.eventId,
    event_type: event.eventType,
    // As Postgres writes it.
    occurred_at: event.occurredAt.replace(/(?:\.(\d+))?Z$/, (_, digits = '') => `.${digits.padEnd(6, '0')}Z`),
    actor: event.actor,
    session_id: event.sessionId,
    correlation_id: event.correlationId,
    resource: event.resource,
    source: event.source,
    payload: event.payload,
  });
  return JSON.parse(JSON.stringify(wire));
}
const governance = (event: object) => roundTrip('governance-tracker', JSON.stringify(event));
const web = (event: object) => roundTrip('web-collection', JSON.stringify(event));

describe('an event of the governance tracker', () => {
  const event = { eventId: ID, eventType: 'CellChange', timestamp: '2026-01-31T09:30:00.000Z' };

  it('comes back as it was sent', () => {
    const whole = {
      ...event,
      userName: 'Zoë 🦊',
      sessionId: 's',
      correlationId: 'c',
      workbookName: 'Budget.xlsx',
      oldValue: null,
      nested: { toString: [1, 2.5, ''] },
    };
    expect(governance(whole)).toEqual(whole);
  });

  it.each([
    ['an id that is no UUID', { eventId: 'order-7' }],
    ['text beyond the columns', { userName: 'ü'.repeat(300), workbookName: 'x'.repeat(513) }],
    ['empty text', { userName: '', sessionId: '' }],
    ['microseconds', { timestamp: '2026-01-31T09:30:00.123456Z' }],
    ['names of other wire shapes and of JavaScript', { path: '/a', visitorId: 'v', url: 'u', constructor: 1 }],
  ])('keeps %s', (_, properties) => {
    expect(governance({ ...event, ...properties })).toEqual({ ...event, ...properties });
  });

  it('keeps all digits of whole numbers', () => {
    const text = `{"eventType":"A","timestamp":"2026-01-31T09:30:00.000Z","big":[12345678901234567890,9007199254740993]}`;
    expect(
      JSON.stringify(
        toWire({
          event_id: ID,
          event_type: 'A',
          occurred_at: '2026-01-31T09:30:00.000000Z',
          actor: null,
          session_id: null,
          correlation_id: null,
          resource: null,
          source: 'governance-tracker',
          payload: '{"big": [12345678901234567890, 9007199254740993]}',
        }),
      ),
    ).toBe(`{"eventId":"${ID}",${text.slice(1)}`);
  });

  it('has the id it was given when it had none, leaves out what was null, and tells its time in UTC', () => {
    const wire = governance({ eventType: 'A', timestamp: '2026-01-31T11:30:00+02:00', eventId: null, userName: null });
    expect(wire).toEqual({
      eventId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      eventType: 'A',
      timestamp: '2026-01-31T09:30:00.000Z',
    });
  });
});

describe('an event of web collection', () => {
  const event = { eventId: ID, eventType: 'click', timestamp: '2026-01-31T09:30:00.000Z' };

  it.each([
    ['everything', { visitorId: 'v', sessionId: 's', correlationId: 'c', path: '/a', url: 'https://x/a', siteId: 'x' }],
    ['a URL alone', { url: 'https://x/a?b' }],
    ['a path alone', { path: '/a' }],
    ['a path that equals the URL', { path: '/a', url: '/a' }],
    ['a URL beyond the column', { url: `/${'x'.repeat(600)}` }],
    ['a path that equals the start of a URL beyond the column', { path: 'x'.repeat(512), url: 'x'.repeat(600) }],
    ['a URL that is a number', { url: 7 }],
    ['a visitor that is a number', { visitorId: 42, path: null, sessionId: '' }],
    ['an id that is a number', { eventId: 7 }],
    ['a time without a zone', { timestamp: '2026-01-31 09:30' }],
    ['a type beyond the column', { eventType: 'x'.repeat(100) }],
  ])('keeps %s', (_, properties) => {
    expect(web({ ...event, ...properties })).toEqual({ ...event, ...properties });
  });

  it.each([
    ['a time that is none', { timestamp: 'yesterday' }],
    ['30 February', { timestamp: '2026-02-30' }],
    ['a time that is given twice', { timestamp: ['2026-01-31T09:30:00Z', '2026-01-31T09:31:00Z'] }],
    ['a time that is an object', { timestamp: { now: 1 } }],
  ])('of %s has the time that is stored', (_, properties) => {
    expect(web({ ...event, ...properties })).toEqual({ ...event, timestamp: RECEIVED });
  });

  it('has one id and one type, those that are stored, when a query gave several', () => {
    const wire = web({ ...event, eventId: ['a', 'b'], eventType: ['x', 'y'], path: ['/a', '/b'] });
    expect(wire).toEqual({
      eventId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      eventType: 'page_view',
      timestamp: event.timestamp,
      // Of what need not be there, all that was sent comes back.
      path: ['/a', '/b'],
    });
  });

  it('has an id, a type and the time it was received when the page sent none of them', () => {
    expect(web({ eventType: '', eventId: '', timestamp: null, url: '/a' })).toEqual({
      eventId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      eventType: 'page_view',
      timestamp: RECEIVED,
      url: '/a',
    });
  });
});

it('an event of a source that this version does not know has the names of the columns', () => {
  expect(
    toWire({
      event_id: ID,
      event_type: 'A',
      occurred_at: '2026-01-31T09:30:00.000000Z',
      actor: 'ada',
      session_id: null,
      correlation_id: 'c',
      resource: '/a',
      source: 'a later one',
      payload: '{"n":1}',
    }),
  ).toEqual({
    eventId: ID,
    eventType: 'A',
    timestamp: '2026-01-31T09:30:00.000Z',
    actor: 'ada',
    correlationId: 'c',
    resource: '/a',
    n: 1,
  });
});
