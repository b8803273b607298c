import { once } from 'node:events';
import { type IncomingMessage, request as httpRequest } from 'node:http';
import { afterAll, afterEach, beforeAll, expect, inject, it, vi } from 'vitest';
import { post } from '@sluice/testkit/http';
import { makeEvent, makeEvents, type WireEvent } from '@sluice/testkit/make-event';
import { operatorKey, type Operations, startOperations } from '@sluice/testkit/operations';
import { startTestDaemon } from '@sluice/testkit/test-daemon';

/** For a machine that hangs, not for one that is slow. */
const PATIENCE = { timeout: 180_000, interval: 10 };
const ENV = {
  API_KEY: 'the-key',
  OPERATOR_KEYS: [operatorKey('ada', 'a'), operatorKey('bob', 'b'), operatorKey('mallory@evil', 'm')].join(','),
  RATE_LIMIT_PER_MINUTE: '0',
  TAIL_STREAMS_PER_KEY: '3',
  TAIL_HEARTBEAT_MS: '200',
  KEY_REFRESH_MS: '500',
};

interface Message {
  id: string | undefined;
  event: string | undefined;
  data: WireEvent;
}

/** A stream that is being read. */
interface Tail {
  readonly messages: Message[];
  readonly comments: string[];
  readonly status: number;
  /** Ids of the events it got, in order. */
  ids(): unknown[];
  ended: boolean;
  close(): void;
}

let operations: Operations;
const tails: Tail[] = [];
beforeAll(async () => {
  operations = await startOperations(ENV);
  await operations.pipeline.startWriter('writer-1');
});
afterAll(() => operations.stop());
afterEach(() => {
  for (const tail of tails.splice(0)) tail.close();
});

async function open(query = '', options: { key?: string; lastEventId?: string; url?: string } = {}): Promise<Tail> {
  const { key = 'the-key', lastEventId, url = operations.query.url } = options;
  const abort = new AbortController();
  const response = await fetch(`${url}/api/events/stream${query}`, {
    headers: { 'x-api-key': key, ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }) },
    signal: abort.signal,
  });
  const tail: Tail = {
    messages: [],
    comments: [],
    status: response.status,
    ids: () => tail.messages.filter(({ event }) => event === undefined).map(({ data }) => data['eventId']),
    ended: false,
    close: () => abort.abort(),
  };
  tails.push(tail);
  void read(response, tail).catch(() => {
    tail.ended = true;
  });
  return tail;
}

async function read(response: Response, tail: Tail): Promise<void> {
  let text = '';
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    const blocks = `${text}${chunk}`.split('\n\n');
    text = blocks.pop()!;
    for (const block of blocks) {
      if (block.startsWith(':')) {
        tail.comments.push(block.slice(2));
        continue;
      }
      const fields = new Map(
        block.split('\n').map((line) => [line.split(': ', 1)[0], line.slice(line.indexOf(': ') + 2)]),
      );
      tail.messages.push({ id: fields.get('id'), event: fields.get('event'), data: JSON.parse(fields.get('data')!) });
    }
  }
  tail.ended = true;
}

const send = (events: readonly WireEvent[]) => post(`${operations.pipeline.ingest.url}/api/events`, { events });
const ids = (events: readonly WireEvent[]) => events.map(({ eventId }) => eventId);
/** Sends a marker until a tail has seen one: from then on it follows what is committed. */
async function following(tail: Tail, properties: WireEvent = {}): Promise<void> {
  await vi.waitFor(
    async () => {
      await send([makeEvent({ eventType: 'Marker', ...properties })]);
      expect(tail.messages.length).toBeGreaterThan(0);
    },
    { timeout: 180_000, interval: 100 },
  );
}
const got = (tail: Tail, wanted: readonly WireEvent[]) =>
  vi.waitFor(() => {
    const markers = tail.messages.filter(({ data }) => data['eventType'] !== 'Marker' && data['eventId'] !== undefined);
    expect(new Set(markers.map(({ data }) => data['eventId']))).toEqual(new Set(ids(wanted)));
    expect(markers).toHaveLength(wanted.length);
  }, PATIENCE);

/** A row as a writer's transaction inserts it. */
const INSERT = `INSERT INTO events (tenant, event_id, event_type, occurred_at, received_at, source, payload)
  VALUES ('default', $1, 'Slow', now(), now(), 'governance-tracker', '{}')`;

it('sends each event once, in its wire shape, filtered, with heartbeats in between', async () => {
  const all = await open();
  const some = await open('?event_types=A&event_types=B&user_names=Zo%C3%AB');
  expect(all.status).toBe(200);
  await following(all);
  await following(some, { eventType: 'B', userName: 'Zoë' });
  const before = some.messages.length;
  const events = [
    makeEvent({ eventType: 'A', userName: 'Zoë', note: 'line\nbreak' }),
    makeEvent({ eventType: 'A', userName: 'bob' }),
    makeEvent({ eventType: 'C', userName: 'Zoë' }),
  ];
  await send(events);
  await vi.waitFor(() => expect(all.ids()).toEqual(expect.arrayContaining(ids(events))), PATIENCE);
  expect(all.messages.find(({ data }) => data['eventId'] === events[0]!['eventId'])?.data).toEqual(events[0]);
  expect(new Set(all.ids()).size).toBe(all.ids().length);
  await vi.waitFor(() => expect(some.ids()).toContain(events[0]!['eventId']), PATIENCE);
  expect(some.messages.slice(before).map(({ data }) => data['eventType'])).not.toContain('C');
  await vi.waitFor(
    () => expect(all.comments.filter((each) => each === 'heartbeat').length).toBeGreaterThan(1),
    PATIENCE,
  );
});

it('a transaction that commits late is not lost, also when later ones commit before it', async () => {
  const tail = await open('?event_types=Slow&event_types=Fast');
  const slow = await operations.pipeline.database.connect();
  await slow.query('BEGIN');
  await slow.query('SELECT pg_current_xact_id()');
  const fast = makeEvents(3, { eventType: 'Fast' });
  await send(fast);
  const stored = 'SELECT FROM events WHERE event_type = $1';
  await vi.waitFor(
    async () => expect(await operations.pipeline.database.query(stored, ['Fast'])).toHaveLength(3),
    PATIENCE,
  );
  const late = makeEvent()['eventId'];
  await slow.query(INSERT, [late]);
  // Readers are notified why nothing comes.
  await vi.waitFor(() => expect(tail.messages.map(({ event }) => event)).toContain('lag'), PATIENCE);
  expect(tail.ids()).toEqual([]);
  await slow.query('COMMIT');
  await slow.end();
  await vi.waitFor(() => expect(tail.ids()).toHaveLength(4), PATIENCE);
  expect(new Set(tail.ids())).toEqual(new Set([late, ...ids(fast)]));
  // Its id is the lowest.
  expect(tail.ids()[0]).toBe(late);
});

it('Last-Event-ID resumes where the connection broke, on another instance too', async () => {
  const { database, namespace } = operations.pipeline;
  const first = await open('?event_types=Resumed&event_types=Marker');
  await following(first);
  first.close();
  const last = first.messages.findLast(({ id }) => id !== undefined)!.id!;
  const missed = makeEvents(2_500, { eventType: 'Resumed' });
  for (let at = 0; at < missed.length; at += 500) await send(missed.slice(at, at + 500));
  await vi.waitFor(
    async () =>
      expect(await database.query("SELECT FROM events WHERE event_type = 'Resumed'")).toHaveLength(missed.length),
    PATIENCE,
  );
  const other = await startTestDaemon('query-api', {
    ...ENV,
    REDIS_URL: inject('redisUrl'),
    SLUICE_NAMESPACE: namespace,
    DATABASE_URL: database.url,
  });
  const second = await open('?event_types=Resumed', { lastEventId: last, url: other.url });
  await got(second, missed);
  const further = makeEvents(3, { eventType: 'Resumed' });
  await send(further);
  await got(second, [...missed, ...further]);
  const third = await open('?event_types=Resumed', { lastEventId: second.messages[999]!.id! });
  await got(
    third,
    second.messages.slice(1_000).map(({ data }) => data),
  );

  // An ordered stop says so and ends the streams.
  const stopping = other.stop();
  await vi.waitFor(() => expect([second.messages.at(-1)?.event, second.ended]).toEqual(['stopping', true]), PATIENCE);
  await stopping;
});

it('a gap is reported for an id that is too old or foreign; a malformed one is refused', async () => {
  const uuid = String(makeEvent()['eventId']);
  for (const lastEventId of [`5.${Date.now() - 3_600_000}.${uuid}`, `9000000000000000000.${Date.now()}.${uuid}`]) {
    const tail = await open('', { lastEventId });
    await vi.waitFor(() => expect(tail.messages[0]?.event).toBe('gap'), PATIENCE);
    tail.close();
  }
  for (const lastEventId of ['x', '1', `1.2.${uuid}'`, "1.2.' OR true", `-1.2.${uuid}`]) {
    expect((await open('', { lastEventId })).status, lastEventId).toBe(400);
  }
});

it('a reader that does not read is dropped, and the others get everything', async () => {
  const slow = httpRequest(`${operations.query.url}/api/events/stream?event_types=Large`, {
    headers: { 'x-api-key': 'b' },
  });
  slow.on('error', () => {});
  slow.end();
  // Its place is taken first: with the two others it has all the streams that its key may have.
  const [unread] = (await once(slow, 'response')) as [IncomingMessage];
  unread.pause().on('error', () => {});
  expect(unread.statusCode).toBe(200);
  await Promise.all([open('?event_types=X', { key: 'b' }), open('?event_types=X', { key: 'b' })]);
  expect((await open('', { key: 'b' })).status).toBe(429);
  const quick = await open('?event_types=Large&event_types=Marker');
  await following(quick);
  const large = makeEvents(60, { eventType: 'Large', text: 'x'.repeat(200_000) });
  for (let at = 0; at < large.length; at += 20) await send(large.slice(at, at + 20));
  await got(quick, large);
  await vi.waitFor(async () => expect((await open('', { key: 'b' })).status).toBe(200), PATIENCE);
  slow.destroy();
});

it('a revoked key loses the streams that it has open', async () => {
  const { body } = await operations.ask('POST', '/api/keys', { name: 'reader', scopes: ['read'] }, 'the-key');
  const tail = await open('?event_types=X', { key: body.key });
  expect(tail.status).toBe(200);
  expect((await operations.ask('DELETE', `/api/keys/${body.id}`, undefined, 'the-key')).status).toBeLessThan(300);
  await vi.waitFor(() => expect([tail.messages.at(-1)?.event, tail.ended]).toEqual(['revoked', true]), PATIENCE);
});

it('a key sees its tenant only, and has a limited number of streams', async () => {
  const mallory = await open('', { key: 'm' });
  expect((await open('?tenant=default', { key: 'm' })).status).toBe(403);
  const ada = await open('?tenant=evil', { key: 'a' });
  const all = await open('', { key: 'a' });
  await following(all);
  expect(mallory.ids()).toEqual([]);
  expect(ada.ids()).toEqual([]);
  await operations.pipeline.database.query(INSERT.replace("'default'", "'evil'"), [makeEvent()['eventId']]);
  await vi.waitFor(() => expect([mallory.ids().length, ada.ids().length]).toEqual([1, 1]), PATIENCE);
  await open('', { key: 'a' });
  expect((await open('', { key: 'a' })).status).toBe(429);
  all.close();
  await vi.waitFor(async () => expect((await open('', { key: 'a' })).status).toBe(200), PATIENCE);
  expect((await open('', { key: 'wrong' })).status).toBe(401);
});
