import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { CanonicalEvent } from '@sluice/events/canonical-event';
import { seededRandom } from '@sluice/testkit/random';
import { rotateHotSegment, sealHotSegment } from '@sluice/testkit/seal-hot-segment';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import { type Database, openDatabase } from '../src/database.ts';
import { KnownIds } from '../src/write/known-ids.ts';
import { writeEvents } from '../src/write/write-events.ts';
import { entryOf } from './fixtures/entry-of.ts';
import { watchStatements } from './fixtures/watch-statements.ts';

let database: TestDatabase;
let opened: Database;
/** Statements of the slow way that were sent. */
let slow: number;
let unwatch: () => void;
beforeAll(async () => {
  database = await createTestDatabase();
  opened = openDatabase({ url: database.url, poolSize: 4, statementTimeoutMs: 30_000, applicationName: 'copying' });
  unwatch = watchStatements('copying', (text) => {
    if (text !== undefined && /WITH input AS/.test(text)) slow += 1;
  });
});
afterAll(async () => {
  unwatch();
  await opened.close();
  await database.drop();
});
beforeEach(async () => {
  slow = 0;
  await database.query('TRUNCATE events, sessions');
});

const write = (events: readonly CanonicalEvent[], known?: KnownIds) =>
  writeEvents(opened, [entryOf(events)], known === undefined ? {} : { known });
const hotSegment = async () =>
  (await database.query<{ hot: number }>("SELECT segment_from AS hot FROM segments WHERE state = 'hot'"))[0]!.hot;
const written = (stored: number, duplicates: number) => ({ stored, duplicates, dead: 0, letters: [] });
const ids = async () =>
  (await database.query<{ id: string }>('SELECT event_id::text AS id FROM events ORDER BY 1')).map(({ id }) => id);

const { int, pick } = seededRandom(7);
const TEXTS = ['ada', '', 'naïve “x” 🦆', 'tab\tand\nline', '{"a":1}', '\\N', 'a,b', "o'clock", '\u0001'];
const ADDRESSES = [null, '203.0.113.7', '2001:db8::1', '::ffff:10.0.0.1', '10.0.0.0'];
const PAYLOADS = ['{}', '{"n":12345678901234567890,"s":"naïve “x”"}', '{"deep":[[[1,2,{"a":null}]]],"e":1e300}'];

function anyEvent(): CanonicalEvent {
  const text = () => (int(4) === 0 ? null : pick(TEXTS));
  const us = () =>
    String(int(1_000_000))
      .padStart(6, '0')
      .slice(0, 1 + int(6));
  return {
    tenant: pick(['default', 'acme', 'größe']),
    eventId: randomUUID(),
    eventType: pick(['CellChange', 'ÜberType']),
    occurredAt: pick([
      `20${10 + int(30)}-01-31T09:30:00.${us()}Z`,
      '1969-12-31T23:59:59.999999Z',
      '2026-02-28T10:00:00Z',
    ]),
    receivedAt: `2026-01-31T09:30:01.${String(int(1_000)).padStart(3, '0')}Z`,
    actor: text(),
    sessionId: text(),
    correlationId: text(),
    resource: text(),
    clientIp: pick(ADDRESSES),
    traceId: pick([null, 'a'.repeat(32)]),
    source: pick(['governance-tracker', 'web-collection']),
    flags: pick([null, [], ['characters_replaced'], ['one', 'two']]),
    payload: pick(PAYLOADS),
  };
}

it('what COPY stores is what the statement of the slow way stores, column by column', async () => {
  const known = new KnownIds(opened);
  const events = Array.from({ length: 400 }, anyEvent);
  const rows = () =>
    database.query(
      `SELECT (to_jsonb(e) - '{stored_at,tx,segment}'::text[])::text AS row, stored_at IS NOT NULL AS at, tx IS NOT NULL AS tx,
              segment = (SELECT segment_from FROM segments WHERE state = 'hot') AS hot
       FROM events AS e ORDER BY event_id`,
    );
  expect(await write(events, known)).toEqual(written(400, 0));
  expect(slow).toBe(0);
  const copied = await rows();
  await database.query('TRUNCATE events, sessions');
  expect(await write(events)).toEqual(written(400, 0));
  expect(slow).toBe(1);
  expect(copied).toEqual(await rows());
  expect(copied).toHaveLength(400);
});

it('an id that is twice in a batch is stored once, the first of it, without the slow way', async () => {
  const event = anyEvent();
  const again = { ...event, payload: '{"again":true}' };
  expect(await write([anyEvent(), event, again, { ...event, tenant: 'other' }], new KnownIds(opened))).toEqual(
    written(3, 1),
  );
  expect(slow).toBe(0);
  expect(await database.query("SELECT FROM events WHERE payload ? 'again'")).toHaveLength(0);
});

it.each([
  ['hot', async () => {}],
  ['closed', async () => void (await rotateHotSegment(opened))],
  ['sealed', async () => void (await sealHotSegment(opened))],
])(
  'an id that is stored in a %s segment is a duplicate, and the others of its batch are stored',
  async (_state, move) => {
    const [one, two] = [anyEvent(), anyEvent()];
    await write([one]);
    await move();
    slow = 0;
    // A writer that has just started, and one that has read all ids.
    const fresh = new KnownIds(opened);
    const loaded = new KnownIds(opened);
    await loaded.refresh();
    await loaded.loaded();
    expect(await write([one, two], fresh)).toEqual(written(1, 1));
    expect(await write([two, anyEvent(), one], loaded)).toEqual(written(1, 2));
    expect(slow).toBe(2);
    expect(await ids()).toHaveLength(3);
  },
);

it('a writer that slept through rotations stores in the hot segment, and knows what was stored meanwhile', async () => {
  const sleeper = new KnownIds(opened);
  const [one, two, three] = [anyEvent(), anyEvent(), anyEvent()];
  await write([one], sleeper);
  await sealHotSegment(opened);
  await write([two]);
  await rotateHotSegment(opened);
  expect(await write([three], sleeper)).toEqual(written(1, 0));
  expect(await write([one, two, three, anyEvent()], sleeper)).toEqual(written(1, 3));
  await sleeper.loaded();
  expect(sleeper.uncovered).toBe(0);
  const places = await database.query(
    "SELECT segment = (SELECT segment_from FROM segments WHERE state = 'hot') AS hot FROM events WHERE event_id = $1",
    [three.eventId],
  );
  expect(places).toEqual([{ hot: true }]);
});

it('a writer that only gets resends notices a rotation, and looks them up where its filters say', async () => {
  const known = new KnownIds(opened);
  const events = Array.from({ length: 20 }, anyEvent);
  await write(events, known);
  await sealHotSegment(opened);
  // Its own ids of the segment that it takes for the hot one: COPY is not even tried.
  expect(await write(events, known)).toEqual(written(0, 20));
  expect(known.hot).toBe(await hotSegment());
  await known.loaded();
  const bytes = Buffer.from(events.map(({ eventId }) => eventId.replaceAll('-', '')).join(''), 'hex');
  const suspects = known.suspects(
    events.map(({ eventId }) => eventId),
    bytes,
  );
  expect(new Set(suspects.map(({ to }) => to))).toEqual(new Set([known.hot]));
  // An id of another tenant is another event, though the filter suspects it.
  const [one, ...others] = events;
  const another = { ...one!, tenant: 'another' };
  expect(await write([another, ...others, one!], known)).toEqual(written(1, 20));
  expect(await write([another, one!], known)).toEqual(written(0, 2));
});

it('new ids need no look at older segments once these are covered', async () => {
  const known = new KnownIds(opened);
  await write(Array.from({ length: 100 }, anyEvent));
  await sealHotSegment(opened);
  await known.refresh();
  await known.loaded();
  const event = anyEvent();
  const bytes = Buffer.from(event.eventId.replaceAll('-', ''), 'hex');
  expect(known.uncovered).toBe(0);
  expect(known.suspects([event.eventId], bytes)).toEqual([]);
});

it('a value that Postgres refuses fails as on the slow way, and stores nothing', async () => {
  const bad = { ...anyEvent(), payload: '{"s":"\\u0000"}' };
  await expect(write([anyEvent(), bad], new KnownIds(opened))).rejects.toMatchObject({ code: '22P05' });
  const odd = { ...anyEvent(), clientIp: 'not an address' };
  await expect(write([anyEvent(), odd], new KnownIds(opened))).rejects.toMatchObject({ code: '22P02' });
  expect(await ids()).toEqual([]);
  // The connections are usable.
  expect(await write([anyEvent()], new KnownIds(opened))).toEqual(written(1, 0));
});

it('a stop cancels the COPY on the server', async () => {
  const blocker = await database.connect();
  await blocker.query('BEGIN');
  const event = anyEvent();
  await blocker.query(
    `INSERT INTO events (tenant, event_id, event_type, occurred_at, received_at, source, payload)
     VALUES ($1, $2, 'X', now(), now(), 's', '{}')`,
    [event.tenant, event.eventId],
  );
  const stop = new AbortController();
  const writing = writeEvents(opened, [entryOf([event])], { known: new KnownIds(opened), stop: stop.signal });
  writing.catch(() => {});
  await expect
    .poll(() =>
      database.query("SELECT FROM pg_stat_activity WHERE application_name = 'copying' AND wait_event_type = 'Lock'"),
    )
    .toHaveLength(1);
  stop.abort();
  await expect(writing).rejects.toMatchObject({ code: '57014' });
  await blocker.query('ROLLBACK');
  await blocker.end();
  expect(await write([event], new KnownIds(opened))).toEqual(written(1, 0));
});
