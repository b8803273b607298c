import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { CanonicalEvent } from '@sluice/events/canonical-event';
import { seededRandom } from '@sluice/testkit/random';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import { type Database, openDatabase } from '../src/database.ts';
import { makeSegments } from '../src/layout/make-segment.ts';
import { rotateSegment } from '../src/layout/rotate-segment.ts';
import { sealSegment } from '../src/layout/seal-segment.ts';
import { listSegments } from '../src/layout/segments.ts';
import { KnownIds } from '../src/write/known-ids.ts';
import { writeEvents } from '../src/write/write-events.ts';
import { entryOf } from './fixtures/entry-of.ts';

const WRITERS = 3;
const CONNECTIONS = 2;
const BATCHES = 60;
const BATCH = 40;
const ROTATIONS = 12;

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const { int, pick } = seededRandom(42);
let counter = 0;

/** Ids of every kind that clients send. */
const NEW_ID: readonly (() => string)[] = [
  () => randomUUID(),
  () => {
    const id = randomBytes(16);
    id.writeUIntBE(Date.now(), 0, 6);
    id[6] = 0x70 | (id[6]! & 0x0f);
    return format(id);
  },
  () => format(Buffer.from(`${(counter += 1).toString(16).padStart(8, '0')}000011eea0b1000000c0ffee`, 'hex')),
  () =>
    format(
      createHash('sha1')
        .update(String((counter += 1)))
        .digest()
        .subarray(0, 16),
    ),
];

function format(id: Buffer): string {
  return id.toString('hex').replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, '$1-$2-$3-$4-$5');
}

const eventOf = (eventId: string, tenant: string): CanonicalEvent => ({
  tenant,
  eventId,
  eventType: 'CellChange',
  occurredAt: '2026-01-31T09:30:00.000Z',
  receivedAt: '2026-01-31T09:30:00.000Z',
  actor: null,
  sessionId: null,
  correlationId: null,
  resource: null,
  clientIp: null,
  traceId: null,
  source: 'governance-tracker',
  flags: null,
  payload: '{}',
});

function open(): Database {
  return openDatabase({
    url: database.url,
    poolSize: CONNECTIONS + 2,
    statementTimeoutMs: 60_000,
    applicationName: 'sluice-writer',
  });
}

it('several writers, resends of every age and rotations at any moment: each id is stored once, and counted once', async () => {
  const sent = new Map<string, CanonicalEvent>();
  const counts = { stored: 0, duplicates: 0, given: 0 };
  const writers = Array.from({ length: WRITERS }, open);
  const rotator = open();
  let batchesLeft = WRITERS * CONNECTIONS * BATCHES;
  const done = new AbortController();
  let rotations = 0;
  const wantedRotations = (): number => {
    const share = 1 - batchesLeft / (WRITERS * CONNECTIONS * BATCHES);
    return Math.min(ROTATIONS, Math.floor(share * (ROTATIONS + 1)));
  };

  const newEvent = (): CanonicalEvent => {
    const event = eventOf(pick(NEW_ID)(), pick(['default', 'acme']));
    sent.set(`${event.eventId} ${event.tenant}`, event);
    return event;
  };
  const run = async (writer: Database, known: KnownIds): Promise<void> => {
    for (let turn = 0; turn < BATCHES; turn += 1) {
      const earlier = [...sent.values()];
      const resend = int(3) === 0 && earlier.length > 0;
      const events = Array.from({ length: BATCH }, () => (resend && int(2) === 0 ? pick(earlier) : newEvent()));
      counts.given += events.length;
      for (;;) {
        try {
          const { stored, duplicates } = await writeEvents(writer, [entryOf(events)], { known });
          counts.stored += stored;
          counts.duplicates += duplicates;
          break;
        } catch (error) {
          // Two batches may meet on the same ids in different transactions; the writer tries again.
          if ((error as { code?: unknown }).code !== '40P01') throw error;
        }
      }
      batchesLeft -= 1;
      // A rotation that is due is not overtaken by many batches, however slow the machine is.
      while (rotations < wantedRotations() - 1) await new Promise((resolve) => setImmediate(resolve));
    }
  };
  // The end of the test cancels the statement that runs.
  const unlessOver = (error: unknown): void => {
    if (!done.signal.aborted) throw error;
  };
  const rotate = async (): Promise<void> => {
    while (!done.signal.aborted) {
      if (rotations >= wantedRotations()) {
        await new Promise((resolve) => setImmediate(resolve));
        continue;
      }
      await makeSegments(rotator);
      const hot = (await listSegments(rotator.db)).find(({ state }) => state === 'hot');
      if (await rotateSegment(rotator, hot!.relation)) rotations += 1;
      // Every other one stays closed.
      if (rotations % 2 === 0) await sealSegment(rotator, hot!.relation, done.signal).catch(unlessOver);
    }
  };
  const rotating = rotate();
  await Promise.all(
    writers.flatMap((writer) => {
      const known = new KnownIds(writer);
      return Array.from({ length: CONNECTIONS }, () => run(writer, known));
    }),
  );
  done.abort();
  await rotating;
  expect(rotations).toBeGreaterThanOrEqual(ROTATIONS - 1);
  const [row] = await database.query(
    `SELECT count(*)::int AS rows, count(DISTINCT (event_id, tenant))::int AS ids, count(DISTINCT segment)::int AS segments FROM events`,
  );
  expect(row).toMatchObject({ rows: sent.size, ids: sent.size });
  expect(row!['segments']).toBeGreaterThanOrEqual(ROTATIONS - 1);
  expect(counts).toEqual({ given: counts.given, stored: sent.size, duplicates: counts.given - sent.size });
  await Promise.all([...writers, rotator].map((each) => each.close()));
});
