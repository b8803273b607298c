import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { encodeEntry } from '@sluice/stream/stream-entry';
import { foldAll } from '@sluice/testkit/fold-all';
import { makeEvents, type WireEvent } from '@sluice/testkit/make-event';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import { openDatabase, type Database } from '../src/database.ts';
import { decodeEntry, type DecodedEntry } from '../src/write/decode-entry.ts';
import { isolatePoison } from '../src/write/isolate-poison.ts';
import { watchStatements } from './fixtures/watch-statements.ts';

let database: TestDatabase;
let opened: Database;
let statements: string[];
let unwatch: () => void;

beforeAll(async () => {
  database = await createTestDatabase();
  opened = openDatabase({ url: database.url, poolSize: 4, statementTimeoutMs: 30_000, applicationName: 'test' });
  // The table itself refuses events of one type.
  await database.query(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NEW.event_type = 'Poison' THEN RAISE EXCEPTION 'poisoned' USING ERRCODE = '22023', DETAIL = 'made to fail'; END IF;
      RETURN NEW;
    END $$`);
  await database.query('CREATE TRIGGER refuse BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION refuse()');
  unwatch = watchStatements('test', (text) => statements.push(text));
});
afterAll(async () => {
  unwatch();
  await opened.close();
  await database.drop();
});
beforeEach(async () => {
  statements = [];
  await database.query('TRUNCATE events, event_ids, sessions, dead_letters, rollup_generations');
});

let entries = 0;
function entryOf(events: readonly WireEvent[], clientIp: string | null = null): DecodedEntry {
  const fields = encodeEntry(
    {
      source: 'governance-tracker',
      tenant: 'acme',
      batchId: randomUUID(),
      firstIndex: 0,
      accepted: events.length,
      rejected: [],
      clientIp,
      receivedAt: '2026-01-31T09:30:00.000Z',
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    },
    Buffer.from(JSON.stringify({ events })),
  );
  entries += 1;
  return decodeEntry({ key: 'shard', id: `${entries}-0`, fields: fields.map((field) => Buffer.from(field)) });
}

async function counts() {
  await foldAll(database);
  const [found] = await database.query(
    `SELECT (SELECT count(*)::int FROM events) AS events, (SELECT count(DISTINCT event_id)::int FROM events) AS ids,
            (SELECT count(*)::int FROM dead_letters) AS dead, (SELECT coalesce(sum(event_count), 0)::int FROM sessions) AS in_sessions`,
  );
  return found;
}

/** `count` events in the order of their ids, of which those at the given places are refused by the table. */
function withPoison(count: number, places: readonly number[]): WireEvent[] {
  const events = makeEvents(count).toSorted((one, other) =>
    String(one['eventId']) < String(other['eventId']) ? -1 : 1,
  );
  return events.map((event, at) => (places.includes(at) ? { ...event, eventType: 'Poison' } : event));
}

/** Finding the bad events takes one statement, and the transaction a handful, BEGIN and COMMIT included. */
function expectOneSearch(): void {
  expect(statements.filter((text) => text.includes('sluice_isolate_events'))).toHaveLength(1);
  expect(statements.length).toBeLessThan(8);
}

describe('one bad event among 500', () => {
  it('is one dead letter and 499 stored events', async () => {
    const events = withPoison(500, [137]);
    const entry = entryOf(events);
    expect(await isolatePoison(opened, [entry])).toMatchObject({ stored: 499, dead: 1, duplicates: 0 });
    expect(await counts()).toEqual({ events: 499, ids: 499, dead: 1, in_sessions: 499 });
    const [letter] = await database.query('SELECT * FROM dead_letters');
    expect(letter).toMatchObject({
      tenant: 'acme',
      event_id: events[137]!['eventId'],
      event_type: 'Poison',
      source: 'governance-tracker',
      reason: 'invalid_value',
      sqlstate: '22023',
      message: 'poisoned',
      detail: 'made to fail',
      payload: events[137],
      raw: null,
      stream: 'shard',
      entry_id: entry.id,
      entry_index: 137,
      trace_id: '0af7651916cd43dd8448eb211c80319c',
      attempts: 1,
      state: 'dead',
      origin: { index: 137, received_at: '2026-01-31T09:30:00.000Z' },
    });
  });

  it('is found by one statement, at any position', async () => {
    for (const place of [0, 1, 49, 50, 498, 499]) {
      statements = [];
      expect(await isolatePoison(opened, [entryOf(withPoison(500, [place]))])).toMatchObject({ stored: 499, dead: 1 });
      expectOneSearch();
    }
  });
});

describe('many bad events', () => {
  it.each([2, 7, 40, 250, 499])('%i of them are found by one statement', async (bad) => {
    const places = Array.from({ length: bad }, (_, at) => Math.floor((at * 500) / bad));
    const events = withPoison(500, places);
    expect(await isolatePoison(opened, [entryOf(events)])).toMatchObject({
      stored: 500 - bad,
      dead: bad,
      duplicates: 0,
    });
    expectOneSearch();
    expect(await counts()).toEqual({ events: 500 - bad, ids: 500 - bad, dead: bad, in_sessions: 500 - bad });
    const letters = await database.query<{ entry_index: number }>('SELECT entry_index FROM dead_letters ORDER BY 1');
    expect(letters.map((letter) => letter.entry_index)).toEqual(places);
  });

  it('whose values Postgres cannot read name the column, also when all 500 are bad', async () => {
    expect(await isolatePoison(opened, [entryOf(makeEvents(500), 'not an address')])).toMatchObject({
      stored: 0,
      dead: 500,
      duplicates: 0,
    });
    expectOneSearch();
    const [letter] = await database.query(
      'SELECT count(DISTINCT entry_index)::int AS places, min(sqlstate) AS sqlstate, min(message) AS message FROM dead_letters',
    );
    expect(letter).toMatchObject({
      places: 500,
      sqlstate: '22P02',
      message: expect.stringContaining('client_ip') as string,
    });
  });

  it('of both kinds at once are told apart', async () => {
    const good = entryOf(makeEvents(100));
    const unreadable = entryOf(makeEvents(50), 'not an address');
    const refused = entryOf(withPoison(100, [3, 99]));
    expect(await isolatePoison(opened, [good, unreadable, refused])).toMatchObject({
      stored: 198,
      dead: 52,
      duplicates: 0,
    });
    expect(await counts()).toEqual({ events: 198, ids: 198, dead: 52, in_sessions: 198 });
  });
});

it('a redelivery makes no second dead letter, and notes the failure on the first', async () => {
  const entry = entryOf(withPoison(10, [4]));
  await isolatePoison(opened, [entry]);
  expect(await isolatePoison(opened, [entry])).toMatchObject({ stored: 0, dead: 0, duplicates: 10 });
  expect(
    await database.query(
      'SELECT attempts, jsonb_array_length(history) AS noted, last_failed_at > first_failed_at AS later FROM dead_letters',
    ),
  ).toEqual([{ attempts: 2, noted: 1, later: true }]);
});

it('a bad event whose id is stored already is a duplicate', async () => {
  const [event] = makeEvents(1);
  await isolatePoison(opened, [entryOf([event!])]);
  expect(await isolatePoison(opened, [entryOf([{ ...event, eventType: 'Poison' }, ...makeEvents(3)])])).toMatchObject({
    stored: 3,
    dead: 0,
    duplicates: 1,
  });
});

it('a value that no text parameter can hold is found too', async () => {
  const good = entryOf(makeEvents(3));
  const odd = entryOf(makeEvents(1), 'a\u0000b');
  expect(await isolatePoison(opened, [good, odd])).toMatchObject({ stored: 3, dead: 1, duplicates: 0 });
});

it('an entry that cannot be read becomes one dead letter with its bytes, beside the good ones of its batch', async () => {
  const fields = [Buffer.from('v'), Buffer.from('1'), Buffer.from('h'), Buffer.from([0xff, 0x00, 0x01])];
  const garbage = decodeEntry({ key: 'shard', id: '9-9', fields });
  expect(await isolatePoison(opened, [entryOf(makeEvents(5)), garbage])).toMatchObject({
    stored: 5,
    dead: 1,
    duplicates: 0,
  });
  const [letter] = await database.query<{ raw: Buffer }>(
    'SELECT reason, tenant, entry_index, payload, raw FROM dead_letters',
  );
  expect(letter).toMatchObject({ reason: 'malformed_header', tenant: null, entry_index: -1, payload: null });
  const kept = (JSON.parse(letter!.raw.toString()) as string[]).map((field) => Buffer.from(field, 'base64'));
  expect(kept).toEqual(fields);
});
