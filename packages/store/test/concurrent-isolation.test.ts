import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { encodeEntry } from '@sluice/stream/stream-entry';
import { makeEvents, type WireEvent } from '@sluice/testkit/make-event';
import { seededRandom } from '@sluice/testkit/random';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import { type Database, openDatabase } from '../src/database.ts';
import { decodeEntry, type DecodedEntry } from '../src/write/decode-entry.ts';
import { classifyFailure } from '../src/write/failure-policy.ts';
import { isolatePoison } from '../src/write/isolate-poison.ts';
import { writeEvents } from '../src/write/write-events.ts';

const WRITERS = 6;

let database: TestDatabase;
let opened: Database;
beforeEach(async () => {
  database = await createTestDatabase();
  opened = openDatabase({ url: database.url, poolSize: WRITERS, statementTimeoutMs: 120_000, applicationName: 'test' });
  await database.query(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NEW.event_type = 'Poison' THEN RAISE EXCEPTION 'poisoned' USING ERRCODE = '22023'; END IF;
      RETURN NEW;
    END $$`);
});
afterEach(async () => {
  await opened.close();
  await database.drop();
});

let entries = 0;
function entryOf(events: readonly WireEvent[]): DecodedEntry {
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
    Buffer.from(JSON.stringify({ events })),
  );
  entries += 1;
  return decodeEntry({ key: 'shard', id: `${entries}-0`, fields: fields.map((field) => Buffer.from(field)) });
}

/** As a writer does it: at once, and once more with isolation where an event is at fault. */
async function store(entry: DecodedEntry): Promise<void> {
  try {
    await writeEvents(opened, [entry]);
  } catch (error) {
    if (classifyFailure(error).kind !== 'row') throw error;
    await isolatePoison(opened, [entry]);
  }
}

// A BEFORE trigger refuses a row before anybody can wait for it, an AFTER trigger when others may wait for it already.
it.each(['BEFORE', 'AFTER'])(
  'batches with the same ids, good and bad ones mixed, wait for one another and never deadlock: %s the insert',
  async (moment) => {
    await database.query(`CREATE TRIGGER refuse ${moment} INSERT ON events FOR EACH ROW EXECUTE FUNCTION refuse()`);
    const random = seededRandom(moment.length);
    const pool = makeEvents(300).map((event, at) => (at % 25 === 0 ? { ...event, eventType: 'Poison' } : event));
    for (let round = 1; round <= 15; round += 1) {
      await database.query('TRUNCATE events, dead_letters');
      const batches = Array.from({ length: WRITERS }, (_, writer) => {
        const shuffled = pool
          .map((event) => ({ event, key: random.int(1_000_000) }))
          .toSorted((one, other) => one.key - other.key)
          .map(({ event }) => event)
          .slice(0, 200);
        // Every third one has nothing bad, and takes the usual way.
        return entryOf(writer % 3 === 0 ? shuffled.filter(({ eventType }) => eventType !== 'Poison') : shuffled);
      });
      await Promise.all(batches.map(store));
      const sent = new Map(batches.flatMap(({ events }) => events.map((event) => [event.eventId, event.eventType])));
      const good = [...sent].flatMap(([id, type]) => (type === 'Poison' ? [] : [id]));
      const stored = await database.query<{ id: string }>('SELECT event_id AS id FROM events');
      expect(stored.map(({ id }) => id).toSorted(), `round ${round}`).toEqual(good.toSorted());
      const [dead] = await database.query('SELECT count(*)::int AS dead FROM dead_letters');
      const poison = batches.flatMap(({ events }) => events.filter(({ eventType }) => eventType === 'Poison'));
      expect(dead, `round ${round}`).toEqual({ dead: poison.length });
    }
  },
);
