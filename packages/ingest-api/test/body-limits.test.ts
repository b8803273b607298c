import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { MAX_ENTRY_BYTES, MAX_ENTRY_EVENTS } from '@sluice/stream/stream-entry';
import { expectError } from '@sluice/testkit/expect-error';
import { startIngest, type TestIngest } from '@sluice/testkit/ingest';
import { makeEvent, makeEvents } from '@sluice/testkit/make-event';
import { exchange, openConnection, sendRaw } from '@sluice/testkit/raw-http';
import { answeredPromptly } from './fixtures/answered-promptly.ts';

const KIB = 1024;
const MIB = 1024 * 1024;

let ingest: TestIngest;

beforeAll(async () => {
  ingest = await startIngest({ MAX_BATCH_SIZE: '1200' });
});
afterAll(() => ingest.stop());
beforeEach(() => ingest.clear());

/** An event whose JSON has exactly this many bytes. */
function eventOf(bytes: number): Record<string, unknown> {
  const event = makeEvent({ newValue: '' });
  return { ...event, newValue: 'x'.repeat(bytes - JSON.stringify(event).length) };
}

describe('an event', () => {
  it('of 1 MiB is rejected alone; the others of its batch are queued byte for byte', async () => {
    const good = makeEvents(4, { newValue: 'größe' });
    const events = [...good.slice(0, 2), eventOf(MIB), ...good.slice(2)];
    const { status, body } = await ingest.send({ events });
    expect(status).toBe(202);
    expect(body.errors).toMatchObject([{ index: 2, code: 'event_too_large', event_id: events[2]?.['eventId'] }]);
    const [entry] = await ingest.entries();
    expect(entry?.body).toBe(JSON.stringify({ events: events.map((each, at) => (at === 2 ? null : each)) }));
    expect((await ingest.queued()).map(({ index, event }) => [index, event])).toEqual(
      [0, 1, 3, 4].map((index) => [index, events[index]]),
    );
  });

  it.each([
    [256 * KIB, 1, 0],
    [256 * KIB + 1, 0, 1],
  ])('of %i bytes: %i accepted, %i rejected', async (bytes, accepted, rejected) => {
    const { body } = await ingest.send({ events: [eventOf(bytes)] });
    expect(body).toMatchObject({ accepted, rejected });
  });

  it('is measured without the white space around it', async () => {
    const text = `{"events":[${' '.repeat(300 * KIB)}${JSON.stringify(makeEvent())}${'\n'.repeat(300 * KIB)}]}`;
    expect((await ingest.send(text)).body).toMatchObject({ accepted: 1, rejected: 0 });
  });
});

describe('a body', () => {
  it('of 500 events of 200 KiB is answered with 413, and the client reads the answer', async () => {
    const body = JSON.stringify({ events: Array.from({ length: 500 }, () => eventOf(200 * KIB)) });
    for (let attempt = 0; attempt < 5; attempt += 1) {
      expectError(await answeredPromptly(() => ingest.send(body)), 'body_too_large', /16777216 bytes/);
    }
    expect(await ingest.entries()).toEqual([]);
  });

  it('without Content-Length is counted as it arrives', async () => {
    const chunk = `10000\r\n${' '.repeat(0x10000)}\r\n`;
    const socket = await openConnection(ingest.url);
    socket.write(
      'POST /api/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n',
    );
    expectError(await exchange(socket, chunk.repeat(257)), 'body_too_large');
    // Once the rest of this request is read and dropped, the connection takes the next one.
    expect((await exchange(socket, `${chunk}0\r\n\r\nGET /live HTTP/1.1\r\nHost: localhost\r\n\r\n`)).status).toBe(200);
    socket.destroy();
  });

  it('of /collect may be as large as one event', async () => {
    expectError(await ingest.collect(eventOf(256 * KIB + 1)), 'body_too_large', /262144 bytes/);
    expect((await ingest.collect(eventOf(256 * KIB))).status).toBe(202);
  });
});

describe('Content-Length', () => {
  const head = 'POST /api/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';
  const batch = JSON.stringify({ events: [makeEvent()] });

  it.each([
    ['negative', 'Content-Length: -5', '{}', 'invalid_request'],
    ['no number', 'Content-Length: many', '{}', 'invalid_request'],
    ['beyond 64 bits', `Content-Length: ${'9'.repeat(25)}`, '{}', 'invalid_request'],
    ['given twice, differently', 'Content-Length: 2\r\nContent-Length: 3', '{}', 'invalid_request'],
    ['together with chunks', 'Content-Length: 5\r\nTransfer-Encoding: chunked', '0\r\n\r\n', 'invalid_request'],
    ['over the limit, followed by a short body', 'Content-Length: 16777217', '{}', 'body_too_large'],
  ] as const)('%s is refused', async (_what, header, body, code) => {
    expectError(await answeredPromptly(() => sendRaw(ingest.url, `${head}${header}\r\n\r\n${body}`)), code);
    expect(await ingest.entries()).toEqual([]);
  });

  it('shorter than the body cuts the batch off, and the rest is not read as a request', async () => {
    const answer = await sendRaw(ingest.url, `${head}Content-Length: 10\r\n\r\n${batch}`);
    expect(answer.status).toBe(400);
    expect(await ingest.entries()).toEqual([]);
  });

  it('longer than the body queues nothing when the client gives up', async () => {
    const socket = await openConnection(ingest.url);
    const answer = exchange(socket, `${head}Content-Length: ${batch.length + 1}\r\n\r\n${batch}`);
    socket.end();
    expectError(await answer, 'invalid_request');
    expect(await ingest.entries()).toEqual([]);
  });
});

describe('MAX_BATCH_SIZE', () => {
  it('is the most events that a batch may have', async () => {
    expect((await ingest.send({ events: makeEvents(1_200) })).body).toMatchObject({ accepted: 1_200 });
    expectError(await ingest.send({ events: makeEvents(1_201) }), 'too_many_events', /1201 events.*1200/);
    expect(await ingest.queued()).toHaveLength(1_200);
  });
});

describe('an entry of the stream', () => {
  it.each([
    ['events', Array.from({ length: 1_200 }, (_, place) => makeEvent({ place })), 3],
    ['bytes', Array.from({ length: 40 }, (_, place) => ({ ...eventOf(100 * KIB), place })), 4],
    ['bytes, of events that fill it to the last one', Array.from({ length: 16 }, () => eventOf(64 * KIB - 1)), 2],
  ])('has no more %s than its limit', async (_limit, events, count) => {
    expect((await ingest.send({ events })).body).toMatchObject({ accepted: events.length });
    const entries = await ingest.entries();
    expect(entries).toHaveLength(count);
    for (const { body, header } of entries) {
      expect(Buffer.byteLength(body)).toBeLessThanOrEqual(MAX_ENTRY_BYTES);
      expect(header.accepted).toBeLessThanOrEqual(MAX_ENTRY_EVENTS);
    }
    expect((await ingest.queued()).map(({ event }) => event)).toEqual(events);
  });
});
