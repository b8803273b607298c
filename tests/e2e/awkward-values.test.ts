import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { get, post } from '@sluice/testkit/http';
import { makeEvent, makeEvents } from '@sluice/testkit/make-event';
import { type Pipeline, startPipeline } from '@sluice/testkit/pipeline';

let pipeline: Pipeline;
beforeAll(async () => {
  pipeline = await startPipeline();
  await pipeline.startWriter('writer-1');
});
afterAll(() => pipeline.stop());

/** Sends one event as raw JSON text and returns its row. */
async function roundTrip(json: string, id: string): Promise<Record<string, unknown>> {
  const answer = await post(`${pipeline.ingest.url}/api/events`, `{"events":[${json}]}`);
  expect(answer.status).toBe(202);
  await pipeline.drained();
  const [row] = await pipeline.database.query(
    'SELECT *, payload::text AS payload_text, host(client_ip) AS ip FROM events WHERE event_id = $1',
    [id],
  );
  return row!;
}

const base = (id: string): string => `"eventId":"${id}","eventType":"X","timestamp":"2026-01-31T09:30:00.123456Z"`;

it('an integer of 20 digits keeps all of them', async () => {
  const id = randomUUID();
  const row = await roundTrip(
    `{${base(id)},"big":12345678901234567890,"deep":{"a":[-98765432109876543210]},"small":0.1,"e":1e300}`,
    id,
  );
  expect(row['payload_text']).toContain('"big": 12345678901234567890');
  expect(row['payload_text']).toContain('[-98765432109876543210]');
  expect(row['payload']).toMatchObject({ small: 0.1, e: 1e300 });
});

it('NUL and lone surrogates become U+FFFD, in keys too, and the event is flagged', async () => {
  const id = randomUUID();
  const row = await roundTrip(
    String.raw`{${base(id)},"userName":"a\u0000b","k\u0000":"\ud800x","pair":"\ud83d\ude00","escaped":"\\u0000"}`,
    id,
  );
  expect(row).toMatchObject({
    actor: 'a\uFFFDb',
    flags: ['characters_replaced'],
    payload: { 'k\uFFFD': '\uFFFDx', pair: '😀', escaped: String.raw`\u0000` },
  });
});

it('an id that is not a UUID is stored under a UUID, and stays in the payload', async () => {
  const events = [
    makeEvent({ eventId: 'order-17', userName: 'named' }),
    makeEvent({ eventId: 'order-17', userName: 'named' }),
  ];
  await post(`${pipeline.ingest.url}/api/events`, { events });
  await pipeline.drained();
  const rows = await pipeline.database.query("SELECT event_id::text, payload FROM events WHERE actor = 'named'");
  expect(rows).toMatchObject([
    { event_id: expect.stringMatching(/^[0-9a-f-]{14}5/) as string, payload: { eventId: 'order-17' } },
  ]);
});

it('a string too long for an index is truncated in its column and whole in the payload', async () => {
  const id = randomUUID();
  const long = 'é'.repeat(2_000);
  const row = await roundTrip(JSON.stringify(makeEvent({ eventId: id, workbookName: long })), id);
  expect(row['resource']).toBe('é'.repeat(256));
  expect(row['payload']).toMatchObject({ workbookName: long });
});

it('microseconds, offsets and the client address are stored', async () => {
  const id = randomUUID();
  const row = await roundTrip(`{"eventId":"${id}","eventType":"X","timestamp":"2026-01-31T09:30:00.123456+05:30"}`, id);
  expect(row).toMatchObject({
    occurred_at: new Date('2026-01-31T04:00:00.123Z'),
    ip: '127.0.0.1',
    source: 'governance-tracker',
  });
});

it('an event of 1 MiB among good ones leaves them alone, and 1,000 events of 10 KiB are all stored', async () => {
  const small = makeEvents(20, { userName: 'beside a giant' });
  const giant = makeEvent({ userName: 'giant', blob: 'x'.repeat(1024 * 1024) });
  const mixed = await post(`${pipeline.ingest.url}/api/events`, {
    events: [...small.slice(0, 10), giant, ...small.slice(10)],
  });
  expect(mixed).toMatchObject({
    status: 202,
    body: { accepted: 20, rejected: 1, errors: [{ index: 10, code: 'event_too_large' }] },
  });
  const large = makeEvents(1_000, { userName: 'large', blob: 'y'.repeat(10 * 1024) });
  expect((await post(`${pipeline.ingest.url}/api/events`, { events: large })).body.accepted).toBe(1_000);
  await pipeline.drained();
  const counts = await pipeline.database.query(
    "SELECT actor, count(*)::int AS events FROM events WHERE actor IN ('beside a giant', 'giant', 'large') GROUP BY actor ORDER BY actor",
  );
  expect(counts).toEqual([
    { actor: 'beside a giant', events: 20 },
    { actor: 'large', events: 1_000 },
  ]);
});

it('hits of /collect and the pixel are stored too, with the page in its columns', async () => {
  const url = pipeline.ingest.url;
  const collected = await post(`${url}/collect`, {
    siteId: 'docs',
    visitorId: 81,
    url: 'https://docs.example.com/start?x=1',
    path: '/start',
    timestamp: '2026-01-31 09:30:00',
    attribution: { source: 'mail' },
  });
  expect(collected).toMatchObject({ status: 202, body: { status: 'success', message: 'Event received and queued' } });
  const pixel = await get(`${url}/pixel.gif?visitorId=v-2&url=https%3A%2F%2Fdocs.example.com%2F&eventType=open`);
  expect(pixel.status).toBe(202);
  await pipeline.drained();
  const rows = await pipeline.database.query(
    "SELECT event_id::text, event_type, actor, resource, occurred_at, payload FROM events WHERE source = 'web-collection' ORDER BY actor",
  );
  expect(rows).toMatchObject([
    {
      event_id: collected.body.event_id as string,
      event_type: 'page_view',
      actor: '81',
      resource: '/start',
      occurred_at: new Date('2026-01-31T09:30:00Z'),
      payload: {
        siteId: 'docs',
        visitorId: 81,
        url: 'https://docs.example.com/start?x=1',
        attribution: { source: 'mail' },
      },
    },
    { event_type: 'open', actor: 'v-2', resource: 'https://docs.example.com/' },
  ]);
});
