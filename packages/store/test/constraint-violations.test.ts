import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeEntry } from '@sluice/stream/stream-entry';
import { makeEvents, type WireEvent } from '@sluice/testkit/make-event';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import { type Database, openDatabase } from '../src/database.ts';
import { decodeEntry, type DecodedEntry } from '../src/write/decode-entry.ts';
import { mayBeRowError } from '../src/write/failure-policy.ts';
import { isolatePoison } from '../src/write/isolate-poison.ts';
import { writeEvents } from '../src/write/write-events.ts';

let database: TestDatabase;
let opened: Database;
beforeEach(async () => {
  database = await createTestDatabase();
  opened = openDatabase({ url: database.url, poolSize: 2, statementTimeoutMs: 60_000, applicationName: 'test' });
});
afterEach(async () => {
  await opened.close();
  await database.drop();
});

/** Changes of the table that refuse events of the type `Poison`, by the SQLSTATE that they refuse with. */
const REFUSALS: Record<string, string> = {
  'a CHECK (23514)': "ALTER TABLE events ADD CONSTRAINT open_period CHECK (event_type <> 'Poison')",
  'a foreign key (23503)': `
    CREATE TABLE known_types (name text PRIMARY KEY);
    INSERT INTO known_types VALUES ('CellChange');
    ALTER TABLE events ADD FOREIGN KEY (event_type) REFERENCES known_types`,
  'a trigger without a code (P0001)': trigger(''),
  'a trigger with the code of a CHECK (23514)': trigger(" USING ERRCODE = '23514'"),
  'a trigger with the code of an exclusion (23P01)': trigger(" USING ERRCODE = '23P01'"),
  'a trigger with the code of its class (23000)': trigger(" USING ERRCODE = '23000'"),
};

function trigger(using: string): string {
  return `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NEW.event_type = 'Poison' THEN RAISE EXCEPTION 'period is closed'${using}; END IF;
      RETURN NEW;
    END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION refuse()`;
}

let entries = 0;
function entryOf(events: readonly WireEvent[], replayOf?: string): DecodedEntry {
  const fields = encodeEntry(
    {
      source: 'governance-tracker',
      tenant: 'acme',
      batchId: randomUUID(),
      firstIndex: 0,
      accepted: events.length,
      rejected: [],
      clientIp: null,
      receivedAt: '2026-01-31T09:30:00.000Z',
      traceparent: null,
      ...(replayOf === undefined ? {} : { replayOf }),
    },
    Buffer.from(JSON.stringify({ events })),
  );
  entries += 1;
  return decodeEntry({ key: 'shard', id: `${entries}-0`, fields: fields.map((field) => Buffer.from(field)) });
}

const good = (count: number): WireEvent[] => makeEvents(count, { eventType: 'CellChange' });
const poison = (count: number): WireEvent[] => makeEvents(count, { eventType: 'Poison' });

describe.each(Object.entries(REFUSALS))('events that %s refuses', (_, change) => {
  beforeEach(() => database.query(change));

  it('become dead letters when others of their batch are stored', async () => {
    const entry = entryOf([...good(40), ...poison(3), ...good(57)]);
    const error: unknown = await writeEvents(opened, [entry]).catch((thrown: unknown) => thrown);
    expect(mayBeRowError(error)).toBe(true);
    expect(await isolatePoison(opened, [entry])).toMatchObject({ stored: 97, dead: 3, duplicates: 0 });
    expect(await database.query('SELECT DISTINCT reason FROM dead_letters')).toEqual([
      { reason: 'constraint_violation' },
    ]);
    // A redelivery, in which nothing new can be stored, changes nothing.
    expect(await isolatePoison(opened, [entry])).toMatchObject({ stored: 0, dead: 0, duplicates: 100 });
  });

  it('stall when nothing else of the batch can be stored', async () => {
    await expect(isolatePoison(opened, [entryOf(poison(4))])).rejects.toThrow(/period|violates/);
    const stored = good(3);
    await isolatePoison(opened, [entryOf(stored)]);
    // What is stored already proves nothing: the table was not asked.
    await expect(isolatePoison(opened, [entryOf([...stored, ...poison(2)])])).rejects.toThrow(/period|violates/);
    expect(await database.query('SELECT count(*)::int AS dead FROM dead_letters')).toEqual([{ dead: 0 }]);
  });

  it('are dead letters again when they are replayed alone', async () => {
    await isolatePoison(opened, [entryOf([...good(1), ...poison(1)])]);
    const [letter] = await database.query<{ id: string; payload: WireEvent }>('SELECT id, payload FROM dead_letters');
    await database.query("UPDATE dead_letters SET state = 'replaying'");
    expect(await isolatePoison(opened, [entryOf([letter!.payload], letter!.id)])).toMatchObject({ stored: 0, dead: 1 });
  });
});

it('a unique index (23505) refuses the second event of a key only', async () => {
  await database.query('CREATE UNIQUE INDEX one_correlation ON events_s1 (correlation_id)');
  const events = good(5).map((event, at) => ({ ...event, correlationId: at < 2 ? 'same' : `other-${at}` }));
  expect(await isolatePoison(opened, [entryOf(events)])).toMatchObject({ stored: 4, dead: 1 });
});

it('a missing partition is never the fault of an event, also beside duplicates', async () => {
  const stored = good(3);
  await writeEvents(opened, [entryOf(stored)]);
  const partitions = await database.query<{ name: string }>(
    "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'events'::regclass",
  );
  for (const { name } of partitions) await database.query(`ALTER TABLE events DETACH PARTITION ${name}`);
  const error: unknown = await isolatePoison(opened, [entryOf([...stored, ...good(3)])]).catch(
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ code: '23514' });
  expect(mayBeRowError(error)).toBe(false);
});

it('events of an entry that was set aside become dead letters with the note, and the others are stored', async () => {
  const cause = { reason: 'set_aside' as const, sqlstate: '42501', message: 'wrong year', detail: null };
  const aside = { ...entryOf(good(2)), setAside: cause };
  expect(await isolatePoison(opened, [aside, entryOf(good(3))])).toMatchObject({ stored: 3, dead: 2, duplicates: 0 });
  expect(await database.query('SELECT DISTINCT reason, sqlstate, message FROM dead_letters')).toEqual([
    { reason: 'set_aside', sqlstate: '42501', message: 'wrong year' },
  ]);
});
