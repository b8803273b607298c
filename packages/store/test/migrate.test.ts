import { afterEach, beforeEach, expect, it } from 'vitest';
import { VERSION } from '@sluice/errors/version';
import type { CanonicalEvent } from '@sluice/events/canonical-event';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import { makeWeeklyPartition } from '@sluice/testkit/weekly-partition';
import { openDatabase, type Database } from '../src/database.ts';
import { makeSegments } from '../src/layout/make-segment.ts';
import { migrate, pendingMigrations } from '../src/migrations/migrate.ts';
import { MIGRATIONS } from '../src/migrations/migrations.ts';
import { prepareDatabase } from '../src/prepare-database.ts';
import { inTransaction } from '../src/transaction.ts';
import { enterSegment } from '../src/write/enter-segment.ts';
import { insertEvents } from '../src/write/event-statements.ts';

const eventOf = (n: number): CanonicalEvent => ({
  tenant: 'default',
  eventId: `00000000-0000-4000-8000-00000000000${n}`,
  eventType: 'CellChange',
  occurredAt: '2026-01-31T09:30:00.000Z',
  receivedAt: '2026-01-31T09:30:00.000Z',
  actor: 'ada',
  sessionId: 'a',
  correlationId: null,
  resource: null,
  clientIp: null,
  traceId: null,
  source: 'governance-tracker',
  flags: null,
  payload: '{}',
});

let database: TestDatabase;
let pools: Database[];

beforeEach(async () => {
  database = await createTestDatabase({ empty: true });
  const options = { url: database.url, poolSize: 2, statementTimeoutMs: 30_000, applicationName: 'test' };
  pools = Array.from({ length: 6 }, () => openDatabase(options));
});
afterEach(async () => {
  await Promise.all(pools.map((opened) => opened.close()));
  await database.drop();
});

it('several daemons prepare an empty database at once; each migration and segment is made once', async () => {
  const prepared = await Promise.all(pools.map((opened) => prepareDatabase(opened)));
  expect(prepared.flatMap((each) => each.migrations)).toEqual(MIGRATIONS.map((migration) => migration.name));
  expect(prepared.flatMap((each) => each.segments).toSorted()).toEqual(['events_s1', 'events_s2']);
  expect(await database.query('SELECT name FROM sluice_migrations')).toHaveLength(MIGRATIONS.length);
});

it('a database of the first version is migrated as it is, also where its indexes were made beforehand', async () => {
  const opened = pools[0]!;
  const later = MIGRATIONS.slice(2);
  const published = MIGRATIONS.slice(0, 2);
  await database.query('CREATE TABLE sluice_migrations (name text PRIMARY KEY, applied_at timestamptz DEFAULT now())');
  for (const { name, statements } of published) {
    for (const statement of statements) await database.query(statement);
    await database.query('INSERT INTO sluice_migrations (name) VALUES ($1)', [name]);
  }
  await makeWeeklyPartition(database, new Date());
  await writeAsBefore(1);
  // The statement that docs/operate/upgrade.md recommends where there are many sessions.
  const sessionIndexes = later
    .flatMap(({ statements }) => statements)
    .filter((statement) => /^CREATE INDEX .* ON sessions /.test(statement));
  expect(sessionIndexes).toHaveLength(4);
  for (const statement of sessionIndexes) {
    await database.query(statement.replace('CREATE INDEX', 'CREATE INDEX CONCURRENTLY'));
  }

  expect(await migrate(opened)).toEqual(later.map(({ name }) => name));
  expect(await database.query('SELECT session_id, event_count::int, ended_at FROM sessions')).toEqual([
    { session_id: 'a', event_count: 1, ended_at: null },
  ]);
  // What is written from now on is in a segment, and an id of before is known.
  expect(await makeSegments(opened)).toEqual(['events_s1', 'events_s2']);
  expect([await write(opened, 1), await write(opened, 2)]).toEqual([0, 1]);
  expect(await database.query('SELECT segment, count(*)::int FROM events GROUP BY 1 ORDER BY 1')).toEqual([
    { segment: 0, count: 1 },
    { segment: 1, count: 1 },
  ]);
  // A writer of the first version stops, and its log says why.
  await expect(writeAsBefore(3)).rejects.toThrow('stop this writer and start one of 0.2.0 or later');
});

/** What a writer of 0.1.0 does, in short. */
async function writeAsBefore(n: number): Promise<void> {
  const { eventId } = eventOf(n);
  await database.query("INSERT INTO event_ids VALUES ('default', $1, now())", [eventId]);
  await database.query(
    `INSERT INTO events (tenant, event_id, event_type, occurred_at, received_at, source, payload)
     VALUES ('default', $1, 'CellChange', now(), now(), 'governance-tracker', '{}')`,
    [eventId],
  );
  await database.query("INSERT INTO sessions VALUES ('default', 'a', null, now(), now(), now(), 1, null)");
}

/** @returns the number of new events */
async function write(opened: Database, n: number): Promise<number> {
  return inTransaction(opened, async (db) => {
    const { rows } = await insertEvents([eventOf(n)], await enterSegment(db)).execute(db);
    return Number(rows[0]!.stored);
  });
}

it('a newer schema that is compatible with this version is accepted', async () => {
  await migrate(pools[0]!);
  await database.query("INSERT INTO sluice_migrations (name, compatible_since) VALUES ('9999-of-the-future', '0.1.0')");
  expect(await migrate(pools[1]!)).toEqual([]);
});

it('a newer schema that needs a newer version is refused, with both versions in the message', async () => {
  await migrate(pools[0]!);
  await database.query(
    "INSERT INTO sluice_migrations (name, compatible_since) VALUES ('9999-of-the-future', '99.1.0')",
  );
  await expect(migrate(pools[1]!)).rejects.toThrow(
    `this one (${VERSION}) is too old for it: 9999-of-the-future needs 99.1.0`,
  );
});

it('a table of migrations that 0.1.0 made is extended, and what it did is not done again', async () => {
  await migrate(pools[0]!);
  await database.query('ALTER TABLE sluice_migrations DROP COLUMN compatible_since, DROP COLUMN finished');
  expect(await pendingMigrations(pools[1]!)).toEqual([]);
  expect(await migrate(pools[1]!)).toEqual([]);
});

it('a daemon that is older than the schema refuses to run', async () => {
  await migrate(pools[0]!);
  await database.query("INSERT INTO sluice_migrations (name) VALUES ('9999-of-the-future')");
  await expect(migrate(pools[1]!)).rejects.toThrow(/9999-of-the-future/);
});
