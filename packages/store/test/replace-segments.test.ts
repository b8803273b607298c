import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { sealHotSegment } from '@sluice/testkit/seal-hot-segment';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import { openDatabase, type Database } from '../src/database.ts';
import { replaceSegments } from '../src/layout/replace-segments.ts';
import { listSegments, type Segment } from '../src/layout/segments.ts';
import { inTransaction } from '../src/transaction.ts';
import { enterSegment } from '../src/write/enter-segment.ts';

const NO_SIGNAL = new AbortController().signal;
const PATIENCE = { timeout: 60_000, interval: 10 };
/** Events of each segment that is merged. */
const EVENTS = 200;
const SEGMENTS = 4;

let database: TestDatabase;
let opened: Database;
let sources: Segment[];
beforeAll(async () => {
  database = await createTestDatabase();
  opened = openDatabase({ url: database.url, poolSize: 8, statementTimeoutMs: 30_000, applicationName: 'test' });
});
afterAll(async () => {
  await opened.close();
  await database.drop();
});
beforeEach(async () => {
  for (const { relation, state } of await listSegments(opened.db))
    if (state === 'sealed')
      await database.query(`DROP TABLE ${relation}; DELETE FROM segments WHERE relation = '${relation}'`);
  sources = [];
  for (let at = 0; at < SEGMENTS; at += 1) {
    await database.query(
      `INSERT INTO events (tenant, event_id, event_type, occurred_at, received_at, source, payload)
       SELECT 't' || n % 2, gen_random_uuid(), 'X', now() - make_interval(mins => n), now(), 's', '{}' FROM generate_series(1, ${EVENTS}) AS n`,
    );
    sources.push(await sealHotSegment(opened));
  }
});

const merge = () =>
  replaceSegments(
    opened,
    sources.map((segment) => ({ segment, keep: null, keepers: null })),
    NO_SIGNAL,
  );
const nameOfMerged = (): string => `events_s${sources[0]!.from}_${sources.at(-1)!.from}`;
const sealed = async () => (await listSegments(opened.db)).filter(({ state }) => state === 'sealed');

/** Waits until the copies are made and VACUUM has seen them. */
const copied = () =>
  vi.waitFor(
    async () =>
      expect(await database.query("SELECT FROM pg_class WHERE relname = 'events_copy' AND relpages > 0")).toHaveLength(
        1,
      ),
    PATIENCE,
  );

it('one segment takes the place of its neighbours: with all events, indexes, bounds and ids', async () => {
  const ids = await database.query(
    'SELECT event_id, tenant, segment, tx::text, stored_at FROM events ORDER BY event_id',
  );
  expect(await merge()).toBe(nameOfMerged());
  expect(
    await database.query('SELECT event_id, tenant, segment, tx::text, stored_at FROM events ORDER BY event_id'),
  ).toEqual(ids);
  const [first, last] = [sources[0]!, sources.at(-1)!];
  expect(await sealed()).toEqual([
    {
      relation: nameOfMerged(),
      from: first.from,
      to: last.to,
      state: 'sealed',
      rows: SEGMENTS * EVENTS,
      storedFrom: first.storedFrom,
      storedTo: last.storedTo,
      occurredFrom: sources.map(({ occurredFrom }) => occurredFrom ?? '').toSorted()[0],
      occurredTo: sources
        .map(({ occurredTo }) => occurredTo ?? '')
        .toSorted()
        .at(-1),
      txTo: last.txTo,
    },
  ]);
  const indexes = async (relation: string) =>
    (
      await database.query<{ definition: string }>(
        `SELECT substring(pg_get_indexdef(indexrelid) FROM 'USING .*') AS definition FROM pg_index
         WHERE indrelid = '${relation}'::regclass AND indisvalid ORDER BY 1`,
      )
    ).map(({ definition }) => definition);
  const one = await sealHotSegment(opened);
  expect(await indexes(nameOfMerged())).toEqual(await indexes(one.relation));
  expect(await indexes(nameOfMerged())).toHaveLength(8);
  for (const { relation } of sources)
    expect(await database.query(`SELECT to_regclass('${relation}') AS table`)).toEqual([{ table: null }]);
  // An id in it is known.
  const found = await inTransaction(opened, async (db) => {
    await enterSegment(db);
    return database.query('SELECT count(*)::int FROM events WHERE event_id = $1 AND tenant = $2', [
      ids[0]!['event_id'],
      ids[0]!['tenant'],
    ]);
  });
  expect(found).toEqual([{ count: 1 }]);
});

it('readers find each event once at every moment, also transactions that began before the copies', async () => {
  const all = SEGMENTS * EVENTS;
  const old = await database.connect();
  // Its snapshot is older than every copy. It reads no event yet, so nothing keeps the swap from its locks.
  await old.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM segments');
  const done = new AbortController();
  const counts = new Set<number>();
  const readers = Array.from({ length: 3 }, async (_, at) => {
    const reader = await database.connect();
    for (let turn = 0; !done.signal.aborted; turn += 1) {
      if (at === 0) await reader.query(`BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM jobs`);
      const query =
        at === 1 ? { name: 'count', text: 'SELECT count(*)::int FROM events' } : 'SELECT count(*)::int FROM events';
      counts.add(((await reader.query(query)).rows[0] as { count: number }).count);
      if (at === 0) await reader.query('COMMIT');
      // A swap finds no gap in readers that never pause.
      await delay(2);
    }
    await reader.end();
  });
  const merging = merge();
  await copied();
  expect((await sealed()).map(({ relation }) => relation)).toEqual(sources.map(({ relation }) => relation));
  expect((await old.query('SELECT count(*)::int FROM events')).rows).toEqual([{ count: all }]);
  await old.query('COMMIT');
  expect(await merging).toBe(nameOfMerged());
  done.abort();
  await Promise.all([...readers, old.end()]);
  expect([...counts]).toEqual([all]);
});

it('what is deleted meanwhile is not there again afterwards', async () => {
  const old = await database.connect();
  await old.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM segments');
  const merging = merge();
  await copied();
  const retention = await database.connect();
  // The server looks for deadlocks a second after the DELETE began to wait. Within a try of the swap it would find one.
  await retention.query("SET deadlock_timeout = '1h'");
  const deleting = retention.query(`DELETE FROM events WHERE tenant = 't1'`);
  await vi.waitFor(
    async () =>
      expect(
        await database.query(
          "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE 'DELETE%'",
        ),
      ).toHaveLength(1),
    PATIENCE,
  );
  await old.query('COMMIT');
  // The swap gives up, because the DELETE has `events` open.
  expect(await merging).toBeNull();
  await deleting;
  expect(await database.query('SELECT tenant, count(*)::int FROM events GROUP BY 1')).toEqual([
    { tenant: 't0', count: (SEGMENTS * EVENTS) / 2 },
  ]);
  await Promise.all([old.end(), retention.end()]);
});

it('an open reader keeps it from happening, and nothing changes; what a dead worker left is dropped', async () => {
  await database.query('CREATE TABLE events_copy (x int)');
  const reader = await database.connect();
  await reader.query('BEGIN; SELECT count(*) FROM events');
  const writer = await database.connect();
  await writer.query("SET lock_timeout = '1s'");
  const merging = merge();
  const over = new AbortController();
  void merging.finally(() => over.abort());
  let stored = 0;
  while (!over.signal.aborted) {
    await writer.query(
      `INSERT INTO events (tenant, event_id, event_type, occurred_at, received_at, source, payload)
       VALUES ('t', gen_random_uuid(), 'X', now(), now(), 's', '{}')`,
    );
    stored += 1;
  }
  expect(stored).toBeGreaterThan(10);
  expect(await merging).toBeNull();
  expect((await sealed()).map(({ relation }) => relation)).toEqual(sources.map(({ relation }) => relation));
  expect(await database.query("SELECT to_regclass('events_copy') AS table")).toEqual([{ table: null }]);
  await reader.query('COMMIT');
  expect(await merge()).toBe(nameOfMerged());
  await Promise.all([reader.end(), writer.end()]);
});

it('only sealed segments are replaced', async () => {
  await database.query(`UPDATE segments SET state = 'expiring' WHERE relation = '${sources[1]!.relation}'`);
  expect(await merge()).toBeNull();
  await database.query(`UPDATE segments SET state = 'sealed' WHERE relation = '${sources[1]!.relation}'`);
});
