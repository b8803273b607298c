import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { JsonObject } from '@sluice/events/adapters/event-adapter';
import { webCollection } from '@sluice/events/adapters/web-collection/web-collection';
import { parseKeepingDigits } from '@sluice/events/json/parse-json';
import { replaceUnstorableText } from '@sluice/events/json/unstorable-text';
import { expectError } from '@sluice/testkit/expect-error';
import { type Answer, get, post } from '@sluice/testkit/http';
import { startIngest, type TestIngest } from '@sluice/testkit/ingest';
import { sendRaw } from '@sluice/testkit/raw-http';

let ingest: TestIngest;

beforeAll(async () => {
  ingest = await startIngest();
});
afterAll(() => ingest.stop());
beforeEach(() => ingest.clear());

/** The row that the writer makes of the one event in the stream. */
async function stored() {
  const entries = await ingest.entries();
  expect(entries).toHaveLength(1);
  const { header, body } = entries[0]!;
  expect(header.source).toBe('web-collection');
  const event = replaceUnstorableText(parseKeepingDigits(body)) as JsonObject;
  return webCollection.project(event, { ...header, index: 0, traceId: null });
}

function expectAccepted(answer: Answer): void {
  expect(answer.status).toBe(202);
  expect(answer.headers.get('cache-control')).toBe('no-store');
  expect(answer.body).toEqual({
    status: 'success',
    message: 'Event received and queued',
    event_id: expect.stringMatching(/^[0-9a-f-]{36}$/) as unknown,
    timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as unknown,
    durability: 'fsync',
  });
}

describe('POST', () => {
  it('accepts JSON, and queues the bytes of the page', async () => {
    const text = '{ "siteId":"docs",\n"eventType":"click", "visitorId":"v-1", "path":"/ü" }';
    expectAccepted(await ingest.collect(text));
    expect((await ingest.entries()).map(({ body }) => body)).toEqual([text]);
    expect(await stored()).toMatchObject({ eventType: 'click', actor: 'v-1', resource: '/ü' });
  });

  it.each(['text/plain', 'text/plain;charset=UTF-8'])(
    'accepts JSON as %s, as navigator.sendBeacon sends it',
    async (type) => {
      expectAccepted(await ingest.collect('{"siteId":"docs"}', { 'content-type': type }));
      expect((await ingest.entries())[0]?.body).toBe('{"siteId":"docs"}');
    },
  );

  it('accepts an empty object: a page view without a visitor, at the time of receipt', async () => {
    const answer = await ingest.collect({});
    expectAccepted(answer);
    expect(await stored()).toMatchObject({
      eventType: 'page_view',
      actor: null,
      occurredAt: answer.body.timestamp,
      receivedAt: answer.body.timestamp,
    });
  });

  it.each([
    ['nothing', '', 'malformed_json'],
    ['an array', '[{}]', 'invalid_body'],
    ['text', '"x"', 'invalid_body'],
    ['null', 'null', 'invalid_body'],
  ] as const)('of %s is refused', async (_what, body, code) => {
    expectError(await ingest.collect(body), code);
    expect(await ingest.entries()).toEqual([]);
  });

  it.each([
    ['without a type', undefined],
    ['of JSON', 'application/json'],
    ['of text, as navigator.sendBeacon sends it', 'text/plain'],
    ['of a form, as curl sends it', 'application/x-www-form-urlencoded'],
  ])('with an empty body %s takes the query parameters', async (_what, type) => {
    const head = `POST /collect?siteId=docs&eventType=click&path=%2F%C3%BC HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n`;
    const answer = await sendRaw(ingest.url, `${head}${type === undefined ? '' : `Content-Type: ${type}\r\n`}\r\n`);
    expect(answer.status).toBe(202);
    expect(await stored()).toMatchObject({ eventType: 'click', resource: '/ü' });
  });

  it('with a body does not look at the query', async () => {
    expect((await post(`${ingest.url}/collect?eventType=click`, { eventType: 'scroll' })).status).toBe(202);
    expect(await stored()).toMatchObject({ eventType: 'scroll', payload: '{}' });
  });

  it('of a form is answered with 415', async () => {
    const answer = await ingest.collect('siteId=docs', { 'content-type': 'application/x-www-form-urlencoded' });
    expectError(answer, 'unsupported_media_type');
  });

  it('of an event that cannot be stored says why', async () => {
    const future = new Date(Date.now() + 25 * 60 * 60 * 1000).toISOString();
    expectError(await ingest.collect({ timestamp: future }), 'no_valid_events', /timestamp_in_future: timestamp lies/);
    expectError(await ingest.collect('{"value":1e400}'), 'no_valid_events', /invalid_number/);
    expect(await ingest.entries()).toEqual([]);
  });
});

describe('GET', () => {
  it('accepts query parameters', async () => {
    expectAccepted(await get(`${ingest.url}/collect?siteId=docs&eventType=click&visitorId=7&path=%2F%C3%BC&n=1&n=2`));
    expect(await stored()).toMatchObject({ eventType: 'click', actor: '7', resource: '/ü' });
    expect(JSON.parse((await stored()).payload)).toEqual({ siteId: 'docs', n: ['1', '2'] });
  });

  it('accepts a request without parameters', async () => {
    expectAccepted(await get(`${ingest.url}/collect`));
    expect(await stored()).toMatchObject({ eventType: 'page_view' });
  });
});

it.each(['/collect', '/pixel.gif'])('HEAD %s stores nothing', async (path) => {
  const answer = await fetch(`${ingest.url}${path}?siteId=docs`, { method: 'HEAD' });
  expect(answer.status).toBe(405);
  expect(answer.headers.get('allow')).toContain('GET');
  expect(await ingest.entries()).toEqual([]);
});

it('two GETs on one connection are two events', async () => {
  const request = 'GET /collect HTTP/1.1\r\nHost: localhost\r\n\r\n';
  expect((await sendRaw(ingest.url, request + request)).status).toBe(202);
  await expect.poll(() => ingest.entries(), { interval: 10 }).toHaveLength(2);
});

describe('the time of an event', () => {
  it.each([
    ['2026-01-31T09:30:00', '2026-01-31T09:30:00.000Z'],
    ['2026-01-31 09:30', '2026-01-31T09:30:00.000Z'],
    ['2026-01-31', '2026-01-31T00:00:00.000Z'],
    ['2026-01-31T10:30:00+01:00', '2026-01-31T09:30:00.000Z'],
    ['Sat, 31 Jan 2026 09:30:00 GMT', '2026-01-31T09:30:00.000Z'],
    ['Sat Jan 31 2026 09:30:00', '2026-01-31T09:30:00.000Z'],
    [1_769_851_800, '2026-01-31T09:30:00.000Z'],
    [1_769_851_800_000, '2026-01-31T09:30:00.000Z'],
    ['1769851800000', '2026-01-31T09:30:00.000Z'],
  ])('%j is %s', async (timestamp, occurredAt) => {
    expect((await ingest.collect({ timestamp })).status).toBe(202);
    expect((await stored()).occurredAt).toBe(occurredAt);
  });

  it.each([undefined, null, '', 'yesterday', 'visit 3', true, {}, [], '2026-99-99', 1e300])(
    '%j counts as the time of receipt',
    async (timestamp) => {
      const answer = await ingest.collect({ timestamp });
      expect(answer.status).toBe(202);
      expect((await stored()).occurredAt).toBe(answer.body.timestamp);
    },
  );
});

describe.each(['/collect', '/pixel.gif'])('the time in the query of %s', (path) => {
  it.each([
    // As pages write it who forget encodeURIComponent: the + is decoded as a space.
    ['2026-01-31T10:30:00+01:00', '2026-01-31T09:30:00.000Z', '2026-01-31T10:30:00+01:00'],
    ['2026-01-31T10:30:00%2B01:00', '2026-01-31T09:30:00.000Z', '2026-01-31T10:30:00+01:00'],
    ['2026-01-31+10:30:00+0100', '2026-01-31T09:30:00.000Z', '2026-01-31 10:30:00+0100'],
    ['2026-01-31T10:30:00-01:00', '2026-01-31T11:30:00.000Z', '2026-01-31T10:30:00-01:00'],
    [
      'Sat+Jan+31+2026+10:30:00+GMT+0100+(Central+European+Standard+Time)',
      '2026-01-31T09:30:00.000Z',
      'Sat Jan 31 2026 10:30:00 GMT+0100 (Central European Standard Time)',
    ],
    ['2016-12-31T23:59:60Z', '2017-01-01T00:00:00.000Z', '2016-12-31T23:59:60Z'],
  ])('%s is read', async (sent, occurredAt, text) => {
    expect((await get(`${ingest.url}${path}?siteId=docs&timestamp=${sent}`)).status).toBe(202);
    const event = await stored();
    expect(event.occurredAt).toBe(occurredAt);
    // The text stays, as the page meant it.
    expect(JSON.parse(event.payload)).toMatchObject({ timestamp: text });
  });

  it.each(['2026-02-30', 'visit+2026', '2026-02-30T09:30:00+01:00'])('%s is no time', async (sent) => {
    expect((await get(`${ingest.url}${path}?siteId=docs&timestamp=${sent}`)).status).toBe(202);
    const { header } = (await ingest.entries())[0]!;
    expect((await stored()).occurredAt).toBe(header.receivedAt);
  });
});

const idOf = async (event: object): Promise<string> => (await ingest.collect(event)).body.event_id;

describe('the id of an event', () => {
  it.each([
    '"0B3F6A52-6D0E-4C57-9A38-5F0D7A1C9E11"',
    '"order-7"',
    '7',
    '12345678901234567890',
    'true',
    '"a\\u0000b"',
    '"\\ud800"',
    '""',
    'null',
    '{"a":1}',
  ])('%s is answered as it will be stored', async (eventId) => {
    const { body } = await ingest.collect(`{"eventId":${eventId}}`);
    expect((await stored()).eventId).toBe(body.event_id);
  });

  it('is the same for the same name, and another for each event without one', async () => {
    expect(await idOf({ eventId: 7 })).toBe(await idOf({ eventId: '7' }));
    expect(await idOf({})).not.toBe(await idOf({}));
  });
});

it('numbers as visitor keep their digits', async () => {
  await ingest.collect('{"visitorId":12345678901234567890,"sessionId":42}');
  expect(await stored()).toMatchObject({ actor: '12345678901234567890', sessionId: '42' });
});
