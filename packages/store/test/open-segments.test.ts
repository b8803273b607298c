import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import { openDatabase, type Database } from '../src/database.ts';
import { firstOpenSegment } from '../src/fence/open-segments.ts';

let database: TestDatabase;
let opened: Database;
beforeAll(async () => {
  database = await createTestDatabase();
  opened = openDatabase({ url: database.url, poolSize: 1, statementTimeoutMs: 30_000, applicationName: 'test' });
});
afterAll(async () => {
  await opened.close();
  await database.drop();
});
beforeEach(() => database.query('TRUNCATE segments'));

/** A segment of an hour of 2026-01-01, with ids of transactions up to `txTo`; without bounds when it is not sealed. */
const segment = (from: number, to: number, hour: number | null, txTo: number | null) =>
  database.query(
    `INSERT INTO segments (relation, segment_from, segment_to, state, stored_from, stored_to, tx_to)
     SELECT concat('s', f, '-', h), f, t, CASE WHEN h IS NULL THEN 'closed' ELSE 'sealed' END,
            '2026-01-01T00:00Z'::timestamptz + make_interval(hours => h),
            '2026-01-01T00:00Z'::timestamptz + make_interval(hours => h + 1), tx::text::xid8
     FROM (VALUES ($1::int, $2::int, $3::int, $4::int)) AS v (f, t, h, tx)`,
    [from, to, hour, txTo],
  );
const first = (tx: number, hour: number) =>
  firstOpenSegment(opened.db, { tx: String(tx), floor: `2026-01-01 ${String(hour).padStart(2, '0')}:00+00` });

it('skips sealed segments by the ids of their transactions, and by when they were stored', async () => {
  await segment(0, 1, 1, null);
  await segment(0, 1, 2, null);
  await segment(1, 2, 3, 100);
  await segment(2, 5, 4, 200);
  await segment(5, 6, null, null);
  await segment(6, 7, null, null);
  expect(await first(0, 0)).toBe(0);
  // A weekly partition knows no ids.
  expect(await first(150, 2)).toBe(0);
  expect(await first(0, 3)).toBe(1);
  expect(await first(100, 3)).toBe(1);
  expect(await first(101, 3)).toBe(2);
  expect(await first(0, 4)).toBe(2);
  expect(await first(201, 3)).toBe(5);
  expect(await first(0, 5)).toBe(5);
});

it('is after all segments when none can hold a row, and 0 when there are none', async () => {
  expect(await first(0, 0)).toBe(0);
  await segment(1, 2, 3, 100);
  expect(await first(101, 0)).toBe(2);
});

it('skips a sealed segment without rows, which has no bounds', async () => {
  await segment(1, 2, 3, 100);
  await segment(2, 3, 4, null);
  await database.query('UPDATE segments SET rows = 0, stored_from = NULL, stored_to = NULL WHERE segment_from = 2');
  await segment(3, 4, null, null);
  expect(await first(101, 0)).toBe(3);
});
