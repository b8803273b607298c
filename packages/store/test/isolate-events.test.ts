import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { CanonicalEvent } from '@sluice/events/canonical-event';
import { encodeEntry } from '@sluice/stream/stream-entry';
import { makeEvents } from '@sluice/testkit/make-event';
import { type Random, seededRandom } from '@sluice/testkit/random';
import { rotateHotSegment, sealHotSegment } from '@sluice/testkit/seal-hot-segment';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import { type Database, openDatabase } from '../src/database.ts';
import { inTransaction } from '../src/transaction.ts';
import { reasonOf } from '../src/write/dead-letter.ts';
import { decodeEntry, type DecodedEntry } from '../src/write/decode-entry.ts';
import { enterSegment } from '../src/write/enter-segment.ts';
import { insertEvents } from '../src/write/event-statements.ts';
import { classifyFailure, mayBeRowError } from '../src/write/failure-policy.ts';
import { isolatePoison } from '../src/write/isolate-poison.ts';
import { firstOfEachId } from '../src/write/write-events.ts';

let database: TestDatabase;
let opened: Database;

beforeAll(async () => {
  database = await createTestDatabase();
  opened = openDatabase({ url: database.url, poolSize: 2, statementTimeoutMs: 60_000, applicationName: 'test' });
  for (const statement of [
    // By the type of an event: the trigger leaves it out, or refuses it with the SQLSTATE that the type names.
    `CREATE FUNCTION judge() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN
       IF NEW.event_type = 'Skip' THEN RETURN NULL; END IF;
       IF NEW.event_type LIKE 'Raise%' THEN
         RAISE EXCEPTION 'refused: %', NEW.event_id
           USING ERRCODE = substr(NEW.event_type, 6), DETAIL = 'by a trigger', CONSTRAINT = 'of_mine', TABLE = 'elsewhere';
       END IF;
       RETURN NEW;
     END $$`,
    'CREATE TRIGGER judge BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION judge()',
    "ALTER TABLE events ADD CONSTRAINT open_period CHECK (actor <> 'closed')",
    'CREATE TABLE known_types (name text PRIMARY KEY)',
    `INSERT INTO known_types VALUES ('CellChange'), ('Save')`,
    'ALTER TABLE events ADD CONSTRAINT known_type FOREIGN KEY (event_type) REFERENCES known_types',
    'ALTER TABLE events ALTER COLUMN session_id SET NOT NULL',
  ])
    await database.query(statement);
});
afterAll(async () => {
  await opened.close();
  await database.drop();
});
beforeEach(() => database.query('TRUNCATE events, dead_letters'));

let entries = 0;
/** An entry with these events, whatever a client could have sent. */
function entryOf(events: readonly CanonicalEvent[]): DecodedEntry {
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
    },
    Buffer.from(JSON.stringify({ events: makeEvents(events.length) })),
  );
  entries += 1;
  return {
    ...decodeEntry({ key: 'shard', id: `${entries}-0`, fields: fields.map((field) => Buffer.from(field)) }),
    events,
  };
}

function canonical(properties: Partial<CanonicalEvent> = {}): CanonicalEvent {
  return {
    tenant: 'acme',
    eventId: randomUUID(),
    eventType: 'CellChange',
    occurredAt: '2026-01-31T09:30:00.123456Z',
    receivedAt: '2026-01-31T09:30:00.000Z',
    actor: 'ada',
    sessionId: 'session-1',
    correlationId: null,
    resource: 'a "quoted" \\ {resource}, NULL',
    clientIp: '10.0.0.1',
    traceId: null,
    source: 'governance-tracker',
    flags: null,
    payload: '{"newValue":"42"}',
    ...properties,
  };
}

/** Ways in which an event is bad, and the column that Postgres cannot read then. */
const FLAWS: readonly (readonly [Partial<CanonicalEvent>, column?: string])[] = [
  [{ eventType: 'Skip' }],
  [{ eventType: 'Raise22023' }],
  [{ eventType: 'Raise23514' }],
  [{ eventType: 'Raise23505' }],
  [{ eventType: 'Raise54000' }],
  [{ eventType: 'RaiseP0001' }],
  [{ eventType: 'Unknown' }],
  [{ actor: 'closed' }],
  [{ sessionId: null }],
  [{ clientIp: 'not an address' }, 'client_ip'],
  [{ occurredAt: '2026-13-45' }, 'occurred_at'],
  [{ receivedAt: 'yesterday noon' }, 'received_at'],
  [{ payload: '{"a":"\\u0000"}' }, 'payload'],
  [{ flags: ['}{'] }],
  // Of two flaws, that of a value counts.
  [{ actor: 'closed', clientIp: '300.1.1.1' }, 'client_ip'],
];

/** What becomes of one event that is stored alone. */
type Fate = 'stored' | 'duplicate' | { readonly error: unknown; readonly column: string | undefined };

/** Stores each event alone with the statement of the usual way, and undoes it. */
async function fatesOf(events: readonly CanonicalEvent[], columnOf: Map<CanonicalEvent, string>): Promise<Fate[]> {
  const fates: Fate[] = [];
  class Undone extends Error {}
  await inTransaction(opened, async (db) => {
    const segment = await enterSegment(db);
    for (const event of events) {
      await sql`SAVEPOINT alone`.execute(db);
      try {
        const { rows } = await insertEvents([event], segment).execute(db);
        fates.push(rows[0]!.stored === '1' ? 'stored' : 'duplicate');
        await sql`RELEASE SAVEPOINT alone`.execute(db);
      } catch (error) {
        fates.push({ error, column: columnOf.get(event) });
        await sql`ROLLBACK TO SAVEPOINT alone`.execute(db);
      }
    }
    throw new Undone();
  }).catch((error: unknown) => {
    if (!(error instanceof Undone)) throw error;
  });
  return fates;
}

const known: string[] = [];

function randomBatch(random: Random): { events: CanonicalEvent[]; columnOf: Map<CanonicalEvent, string> } {
  const columnOf = new Map<CanonicalEvent, string>();
  const badShare = random.pick([0, 1, 5, 50, 100]);
  const events = random.list(random.pick([3, 30, 160]), () => {
    const [flaw, column] = random.int(100) < badShare ? random.pick(FLAWS) : [{}];
    const origin = random.pick([{}, { tenant: 'other', clientIp: null, traceId: 'f'.repeat(32) }]);
    const resent = random.int(4) === 0 && known.length > 0 ? { eventId: random.pick(known) } : {};
    const event = canonical({ ...origin, eventType: random.pick(['CellChange', 'Save']), ...flaw, ...resent });
    if (column !== undefined) columnOf.set(event, column);
    if (random.int(3) === 0) known.push(event.eventId);
    return event;
  });
  // Some ids twice in the batch.
  for (const event of events.slice(0, random.int(3)))
    events.push(canonical({ tenant: event.tenant, eventId: event.eventId }));
  return { events, columnOf };
}

const idOf = ({ tenant, eventId }: CanonicalEvent): string => `${tenant} ${eventId}`;

it('random batches end as if each event had been stored alone, whatever is bad and wherever an id was stored before', async () => {
  const random = seededRandom(14);
  for (let round = 1; round <= 60; round += 1) {
    const { events, columnOf } = randomBatch(random);
    const unique = firstOfEachId(events);
    const fates = await fatesOf(unique, columnOf);
    const before = await database.query<{ id: string }>("SELECT tenant || ' ' || event_id AS id FROM events");
    const storedBefore = new Set(before.map(({ id }) => id));

    const shouldStore = unique.filter((_, at) => fates[at] === 'stored');
    const dead = unique.flatMap((event, at) => {
      const fate = fates[at]!;
      if (typeof fate === 'string' || storedBefore.has(idOf(event))) return [];
      const { code, message, detail, kind } = classifyFailure(fate.error);
      return [
        {
          kind,
          letter: {
            id: idOf(event),
            reason: reasonOf(code),
            sqlstate: code,
            message: fate.column === undefined ? message : `${fate.column}: ${message}`,
            detail,
          },
        },
      ];
    });
    const stalls = shouldStore.length === 0 && dead.some(({ kind }) => kind !== 'row');
    const result = isolatePoison(opened, [entryOf(events)]);
    if (stalls) {
      const error: unknown = await result.catch((thrown: unknown) => thrown);
      expect(mayBeRowError(error), `round ${round}`).toBe(true);
      continue;
    }
    expect(await result, `round ${round}`).toMatchObject({
      stored: shouldStore.length,
      dead: dead.length,
      duplicates: events.length - shouldStore.length - dead.length,
    });
    const after = await database.query<{ id: string }>("SELECT tenant || ' ' || event_id AS id FROM events ORDER BY 1");
    expect(
      after.map(({ id }) => id),
      `round ${round}`,
    ).toEqual([...storedBefore, ...shouldStore.map(idOf)].toSorted());
    const letters = await database.query(
      "SELECT tenant || ' ' || event_id AS id, reason, sqlstate, message, detail FROM dead_letters WHERE entry_id = $1",
      [`${entries}-0`],
    );
    expect(byId(letters), `round ${round}`).toEqual(byId(dead.map(({ letter }) => letter)));
    if (round % 7 === 0) await rotateHotSegment(opened);
    if (round % 20 === 0) await sealHotSegment(opened);
  }
});

/** In a fixed order, without the time and the number of the transaction that the text of a row contains. */
function byId(letters: readonly object[]): unknown[] {
  const texts = letters.map((letter) =>
    JSON.stringify(letter).replace(/row contains \(.*?, (.*), \d+, (\d+)\)/, 'row contains (stored_at, $1, tx, $2)'),
  );
  return texts.toSorted().map((text) => JSON.parse(text) as unknown);
}

it('every value is stored as the usual statement stores it', async () => {
  const one = canonical({ flags: ['characters_replaced', 'b'], payload: '{"a":"\\"\\\\ {é}","n":1.50}' });
  const other = canonical({ ...one, eventId: randomUUID() });
  await inTransaction(opened, async (db) => insertEvents([one], await enterSegment(db)).execute(db));
  await isolatePoison(opened, [entryOf([other, canonical({ eventType: 'Raise22023' })])]);
  const rows = await database.query<{ row: Record<string, unknown> }>(
    "SELECT to_jsonb(e) - '{event_id,tx,stored_at}'::text[] AS row FROM events AS e",
  );
  const values = rows.map(({ row }) => row);
  expect(values).toHaveLength(2);
  expect(values[0]).toEqual(values[1]);
});

/** SQLSTATEs that end the transaction: the whole is tried again, or stalls. */
const OF_NO_EVENT = `
  40001 40003 40P01 08006 57P01 57P03 55P03 57014 25006 25P03 25P04 53000
  53100 53200 53300 53400 42501 42601 42703 42P01 28000 3D000 XX000 54011
  54023 P0002 P0003 P0004 SL000 SL001 SL003 0A000 2F005 21000`;

it.each(OF_NO_EVENT.trim().split(/\s+/))(
  '%s is no error of an event: it comes out as it is, and nothing is stored',
  async (code) => {
    const error: unknown = await isolatePoison(opened, [
      entryOf([...Array.from({ length: 60 }, () => canonical()), canonical({ eventType: `Raise${code}` })]),
    ]).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code, detail: 'by a trigger', constraint: 'of_mine', table: 'elsewhere' });
    expect((error as Error).message).toMatch(/^refused: /);
    expect(await database.query('SELECT FROM events')).toEqual([]);
    expect(await database.query('SELECT FROM dead_letters')).toEqual([]);
  },
);

it.each([
  '22000',
  '22P02',
  '22003',
  '22021',
  '23502',
  '54000',
  '54001',
  '23000',
  '23503',
  '23505',
  '23514',
  '23P01',
  'P0001',
])('%s is an error of its event, as the failure policy says', async (code) => {
  const events = [canonical(), canonical({ eventType: `Raise${code}` }), canonical()];
  expect(await isolatePoison(opened, [entryOf(events)])).toMatchObject({ stored: 2, dead: 1 });
  expect(await database.query('SELECT sqlstate, reason, detail FROM dead_letters')).toEqual([
    { sqlstate: code, reason: reasonOf(code), detail: 'by a trigger' },
  ]);
  expect(classifyFailure({ code, message: '' }).kind === 'row' || mayBeRowError({ code, message: '' })).toBe(true);
});
