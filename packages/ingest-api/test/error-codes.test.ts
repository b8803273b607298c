import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { encodeKeySet, keySetKey } from '@sluice/access/key-projection';
import { CODES_OF, type IngestErrorCode } from '@sluice/errors/api-errors';
import { REJECTIONS, type RejectionCode } from '@sluice/events/adapters/event-adapter';
import { freePort } from '@sluice/local-stack/free-port';
import { expectError } from '@sluice/testkit/expect-error';
import { type Answer, get } from '@sluice/testkit/http';
import { startIngest, type TestIngest } from '@sluice/testkit/ingest';
import { makeEvent, makeEvents } from '@sluice/testkit/make-event';
import { exchange, openConnection, type RawAnswer, sendRaw } from '@sluice/testkit/raw-http';
import { testKey } from '@sluice/testkit/stored-keys';

const KEY = { 'x-api-key': 'the-key' };
const IN_TWO_DAYS = new Date(Date.now() + 2 * 24 * 60 * 60 * 1000).toISOString();

const reader = testKey({ scopes: ['read'] });
const slow = testKey({ scopes: ['ingest'], eventsPerSecond: 1 });

let ingest: TestIngest;
let withoutRedis: TestIngest;
let full: TestIngest;
let faulty: TestIngest;
let roomy: TestIngest;

beforeAll(async () => {
  const nobodyListens = await freePort();
  [ingest, withoutRedis, full, faulty, roomy] = await Promise.all([
    startIngest({
      API_KEY: 'the-key',
      KEY_REFRESH_MS: '50',
      TRUST_PROXY: 'loopback',
      REQUEST_TIMEOUT_MS: '500',
      MAX_BATCH_SIZE: '20',
      MAX_BODY_BYTES: '400000',
    }),
    startIngest({ API_KEY: 'the-key' }, { redisUrl: `redis://127.0.0.1:${nobodyListens}` }),
    startIngest({ QUEUE_MAX_BYTES: String(1024 * 1024) }),
    startIngest({}, { entry: import.meta.resolve('./fixtures/faulty-ingest.ts').replace('file://', '') }),
    startIngest({ MAX_IN_FLIGHT_BYTES: String(1024 * 1024) }),
  ]);
  await ingest.redis.set(keySetKey(ingest.namespace), encodeKeySet([reader.stored, slow.stored]));
  await full.redis.xadd(full.stream, '*', 'filler', randomBytes(2 * 1024 * 1024));
});
afterAll(() => Promise.all([ingest, withoutRedis, full, faulty, roomy].map((each) => each.stop())));

/** Sends an event with a stored key, once ingest has seen the stored keys. */
async function sendWith(key: string): Promise<Answer> {
  return vi.waitFor(
    async () => {
      const answer = await ingest.send({ events: [makeEvent()] }, { 'x-api-key': key });
      expect(answer.status, 'the stored keys are known').not.toBe(503);
      return answer;
    },
    { timeout: 180_000, interval: 20 },
  );
}

/** How to cause each error, and what its message names. */
const ERRORS: Record<IngestErrorCode, { by: () => Promise<Answer | RawAnswer>; message: RegExp }> = {
  malformed_json: { by: () => ingest.send('{"events":[', KEY), message: /not JSON/ },
  invalid_encoding: { by: () => ingest.send(Buffer.from('{"events":["\xff"]}', 'latin1'), KEY), message: /UTF-8/ },
  nesting_too_deep: {
    by: () => ingest.send({ events: [makeEvent()], meta: nested(33) }, KEY),
    message: /nested 32 deep/,
  },
  misdirected_request: {
    by: () => sendRaw(full.url, 'GET /docs/json HTTP/1.1\r\nHost: evil.example\r\n\r\n'),
    message: /"evil\.example"\. Add the name to ALLOWED_HOSTS/,
  },
  cross_site_request: {
    by: () => full.send({ events: [makeEvent()] }, { origin: 'https://evil.example' }),
    message: /pages of other sites\. Add their origin to CORS_ORIGINS/,
  },
  forbidden_property: { by: () => ingest.send('{"__proto__":1,"events":[]}', KEY), message: /__proto__/ },
  invalid_body: { by: () => ingest.send({ event: makeEvent() }, KEY), message: /"events"/ },
  invalid_request: {
    by: () => ingest.send({ events: [makeEvent()] }, { ...KEY, 'idempotency-key': 'two words' }),
    message: /Idempotency-Key/,
  },
  unauthorized: { by: () => ingest.send({ events: [makeEvent()] }), message: /X-API-Key/ },
  tenant_mismatch: { by: () => ingest.send({ tenant: 'other', events: [makeEvent()] }, KEY), message: /default/ },
  not_found: { by: () => get(`${ingest.url}/api/nothing`), message: /\/api\/nothing/ },
  method_not_allowed: { by: () => get(`${ingest.url}/api/events`), message: /POST, not GET/ },
  request_timeout: {
    by: () => sendRaw(ingest.url, 'POST /api/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n'),
    message: /too long/,
  },
  body_too_large: { by: () => ingest.send(' '.repeat(400_001), KEY), message: /400000 bytes/ },
  too_many_events: {
    by: () => ingest.send({ events: makeEvents(21) }, KEY),
    message: /has 21 events; the limit is 20/,
  },
  too_many_values: {
    by: () => roomy.send(`{"events":[],"v":[${'0,'.repeat(1_000_000)}0]}`),
    message: /more than 1000000 values/,
  },
  compression_ratio_too_high: {
    by: () => ingest.send(gzipSync(' '.repeat(300_000)), { ...KEY, 'content-encoding': 'gzip' }),
    message: /200 times its size/,
  },
  overloaded: { by: bodiesInFlight, message: /Send the request again/ },
  unsupported_media_type: {
    by: () => ingest.send('<events/>', { ...KEY, 'content-type': 'text/xml' }),
    message: /application\/json; it is text\/xml/,
  },
  rate_limited: { by: guessTooOften, message: /wrong keys. Try again in \d+ s/ },
  idempotency_key_reused: {
    by: async () => {
      const headers = { ...KEY, 'idempotency-key': 'one-key' };
      expect((await ingest.send({ events: [makeEvent()] }, headers)).status).toBe(202);
      return ingest.send({ events: [makeEvent()] }, headers);
    },
    message: /another body.*Nothing was queued/,
  },
  no_valid_events: { by: () => ingest.send({ events: [1, {}] }, KEY), message: /see errors/ },
  headers_too_large: {
    by: () => sendRaw(ingest.url, `GET /live HTTP/1.1\r\nHost: localhost\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`),
    message: /headers/,
  },
  queue_full: {
    by: () =>
      vi.waitFor(
        async () => {
          const answer = await full.send({ events: [makeEvent()] });
          expect(answer.status, 'the backlog has been measured').not.toBe(202);
          return answer;
        },
        { interval: 20, timeout: 180_000 },
      ),
    message: /backlog .* Try again in \d+ s/,
  },
  internal_error: { by: () => faulty.send({ events: [makeEvent()] }), message: /log has the details/ },
  // The answer proves that the queue was not called: it would throw, which is internal_error.
  entries_incomplete: {
    by: () => faulty.send({ events: makeEvents(501) }),
    message: /Of 501 events .* 500 are located\. Nothing was queued/,
  },
  queue_unavailable: { by: () => withoutRedis.send({ events: [makeEvent()] }, KEY), message: /same ids/ },
  forbidden: { by: () => sendWith(reader.key), message: /scope "ingest"/ },
  keys_unavailable: {
    by: () => withoutRedis.send({ events: [makeEvent()] }, { 'x-api-key': reader.key }),
    message: /not known .* yet/,
  },
  quota_exceeded: {
    by: async () => {
      expect((await sendWith(slow.key)).status).toBe(202);
      return sendWith(slow.key);
    },
    message: /1 events\/s. Try again in 1 s/,
  },
  shutting_down: { by: requestDuringStop, message: /stopping/ },
};

describe.each(CODES_OF.ingest)('%s', (code) => {
  it('is answered with its status, in the one shape of all errors, naming what is wrong', async () => {
    const answer = await ERRORS[code].by();
    expectError(answer, code, ERRORS[code].message);
    const comesBack = [
      'queue_full',
      'quota_exceeded',
      'overloaded',
      'rate_limited',
      'queue_unavailable',
      'keys_unavailable',
      'shutting_down',
    ].includes(code);
    expect(answer.headers.get('retry-after')).toEqual(comesBack ? expect.stringMatching(/^[1-9]\d*$/) : null);
  });
});

/** An event that is rejected with each code, and what its message names. */
const REJECTED: Record<RejectionCode, { event: unknown; field?: string; message: RegExp }> = {
  not_an_object: { event: ['an', 'array'], message: /object/ },
  missing_field: { event: makeEvent({ eventType: '' }), field: 'eventType', message: /eventType/ },
  invalid_type: { event: makeEvent({ userName: 7 }), field: 'userName', message: /userName .* not a number/ },
  field_too_long: { event: makeEvent({ eventType: 'x'.repeat(65) }), field: 'eventType', message: /65 .* 64/ },
  invalid_timestamp: {
    event: makeEvent({ timestamp: '2026-02-30T00:00:00Z' }),
    field: 'timestamp',
    message: /RFC 3339/,
  },
  timestamp_in_future: { event: makeEvent({ timestamp: IN_TWO_DAYS }), field: 'timestamp', message: /24 hours/ },
  nesting_too_deep: { event: makeEvent({ deep: nested(32) }), field: 'deep', message: /nested 32 deep/ },
  forbidden_property: {
    event: { ...makeEvent(), a: JSON.parse('{"__proto__":1}') as unknown },
    field: 'a',
    message: /__proto__/,
  },
  // JSON has no literal for infinity: the marker is replaced in the body's text.
  invalid_number: { event: makeEvent({ newValue: 'INFINITE' }), field: 'newValue', message: /64-bit float/ },
  event_too_large: { event: makeEvent({ newValue: 'x'.repeat(256 * 1024) }), message: /2623\d\d bytes.* 262144/ },
  too_many_values: {
    event: makeEvent({ v: Array(20_000).fill(0) }),
    field: 'v',
    message: /more than 20000 values.* v/,
  },
};

describe.each(Object.keys(REJECTIONS) as RejectionCode[])('an event rejected for %s', (code) => {
  it('is named by its index with its reason, and the others of its batch are accepted', async () => {
    const { event, field, message } = REJECTED[code];
    const body = JSON.stringify({ events: [makeEvent(), event, makeEvent()] }).replace('"INFINITE"', '1e400');
    const answer = await ingest.send(body, KEY);
    expect(answer.status).toBe(202);
    expect(answer.body).toMatchObject({ accepted: 2, rejected: 1 });
    expect(answer.body.errors).toEqual([
      {
        index: 1,
        event_id: (event as Record<string, unknown>)['eventId'] ?? null,
        code,
        ...(field === undefined ? {} : { field }),
        message: expect.stringMatching(message),
      },
    ]);
  });
});

it('the details of an unexpected error are in the log, under the request id, and not in the answer', async () => {
  const { body } = await faulty.send({ events: [makeEvent()] });
  expect(JSON.stringify(body)).not.toContain('secret details');
  const line = await faulty.logged(new RegExp(body.error.request_id));
  expect(line['err']).toMatchObject({ type: 'TypeError', message: 'secret details of the defect' });
});

/** Holds two requests that together are too large, each but for its last byte. The one whose bytes arrive last is refused. */
async function bodiesInFlight(): Promise<RawAnswer> {
  const head =
    'POST /api/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 900001\r\n\r\n';
  const sockets = await Promise.all([openConnection(roomy.url), openConnection(roomy.url)]);
  const answers = sockets.map((socket) => exchange(socket, head + ' '.repeat(900_000)));
  const refused = await Promise.race(answers);
  for (const socket of sockets) socket.destroy();
  await Promise.allSettled(answers);
  return refused;
}

/** Sends the end of a request's headers after the ordered stop has begun. */
async function requestDuringStop(): Promise<RawAnswer> {
  const stopping = await startIngest();
  const socket = await openConnection(stopping.url);
  // Begun before the stop, or the connection would be idle and closed.
  socket.write('POST /api/events HTTP/1.1\r\nHost: localhost\r\n');
  await vi.waitFor(async () => expect((await get(`${stopping.url}/live`)).status).toBe(200), {
    timeout: 180_000,
    interval: 20,
  });
  const stopped = stopping.stop();
  await stopping.logged(/"stopping"/);
  const answer = await exchange(socket, 'Content-Type: application/json\r\nContent-Length: 0\r\n\r\n');
  socket.destroy();
  await stopped;
  return answer;
}

function guess(at: number): Promise<Answer> {
  return ingest.send({ events: [makeEvent()] }, { 'x-api-key': `guess-${at}`, 'x-forwarded-for': '203.0.113.7' });
}

/** Sends wrong keys from one address until the next one is not looked at. */
async function guessTooOften(): Promise<Answer> {
  for (let at = 0; at < 30; at += 1) expectError(await guess(at), 'unauthorized');
  return guess(30);
}

function nested(levels: number): unknown {
  return levels === 0 ? 1 : [nested(levels - 1)];
}
