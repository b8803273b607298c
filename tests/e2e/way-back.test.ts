import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Database, openDatabase } from '@sluice/store/database';
import { migrate } from '@sluice/store/migrations/migrate';
import { MIGRATIONS } from '@sluice/store/migrations/migrations';
import { prepareDatabase } from '@sluice/store/prepare-database';
import { foldAll } from '@sluice/testkit/fold-all';
import { sealHotSegment } from '@sluice/testkit/seal-hot-segment';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import { makeWeeklyPartition } from '@sluice/testkit/weekly-partition';
import { wayBackStatements } from '../long/migration/way-back-statements.ts';

/**
 * The way back to 0.1.0, as docs/operate/upgrade-to-0.2.0.md describes it: its SQL is read from there and run. After it the
 * schema is that of 0.1.0, its writer stores, and every event is there.
 */
const RECORDED = resolve(import.meta.dirname, '../../packages/store/test/fixtures/writer-statements-0.1.0.json');
const FIRST_NEW = '0008';

let database: TestDatabase;
let fresh: TestDatabase;
let opened: Database;
let client: pg.Client;
let old: typeof MIGRATIONS;
beforeAll(async () => {
  old = MIGRATIONS.filter(({ name }) => name < FIRST_NEW);
  database = await createTestDatabase({ empty: true });
  fresh = await createTestDatabase({ empty: true });
  opened = openDatabase({ url: database.url, poolSize: 4, statementTimeoutMs: 60_000, applicationName: 'test' });
  client = await database.connect();
});
afterAll(async () => {
  await client.end();
  await opened.close();
  await database.drop();
  await fresh.drop();
});

/** Stores three events as the writer of 0.1.0 does, two in the session s-1 and one in s-2. @returns how many were new */
async function storeAsBefore(firstId: number): Promise<number> {
  const recorded = JSON.parse(await readFile(RECORDED, 'utf8')) as { text: string; values: string[] }[];
  const { text, values } = recorded[0]!;
  const ids = [0, 1, 2].map((more) => `00000000-0000-4000-8000-${String(firstId + more).padStart(12, '0')}`);
  const { rows } = await client.query<{ stored: string }>(
    text,
    values.map((value, at) => (at === 1 ? `{${ids.join(',')}}` : value)),
  );
  return Number(rows[0]!.stored);
}

/** Stores events of 0.2.0 with the ids from `firstId` on; a week ago, if asked to. */
async function storeInSegments(firstId: number, count: number, storedAt: string): Promise<void> {
  await database.query(
    `INSERT INTO events (tenant, event_id, event_type, occurred_at, received_at, actor, session_id, source, payload, stored_at)
     SELECT 'default', ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, 'CellChange', now(), now(), 'ada', 's-1',
            'governance-tracker', '{"n": 1}', ${storedAt}
     FROM generate_series($1::int, $2::int) AS n`,
    [firstId, firstId + count - 1],
  );
}

const found = async () =>
  (await database.query('SELECT count(*)::int AS events, count(DISTINCT event_id)::int AS ids FROM events'))[0];

it('the documented SQL makes the schema of 0.1.0 again, with all events and their ids', async () => {
  await migrate(opened, old);
  await makeWeeklyPartition(database, new Date());
  expect(await storeAsBefore(1)).toBe(3);
  await prepareDatabase(opened);
  await storeInSegments(101, 10, "now() - interval '7 days'");
  await sealHotSegment(opened);
  await storeInSegments(201, 10, 'now()');
  await foldAll(database);
  const events = () => database.query('SELECT event_id, stored_at, tx::text, payload FROM events ORDER BY event_id');
  const before = await events();
  expect(before).toHaveLength(23);

  for (const statements of await wayBackStatements()) await database.query(`BEGIN; ${statements} COMMIT`);
  expect(await events()).toEqual(before);
  expect(
    await database.query('SELECT count(*)::int FROM events JOIN event_ids USING (tenant, event_id, stored_at)'),
  ).toEqual([{ count: 23 }]);
});

const columns = (of: TestDatabase) =>
  of.query(
    `SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns
     WHERE table_schema = 'public' AND table_name !~ '^events_' ORDER BY 1, 2`,
  );
const others = (of: TestDatabase) =>
  of.query(
    `SELECT 'index ' || c.relname AS what FROM pg_class AS c WHERE relnamespace = 'public'::regnamespace
       AND relkind IN ('i', 'I') AND relname !~ '^events_(s?\\d)'
     UNION SELECT 'function ' || proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
     UNION SELECT 'trigger ' || tgname FROM pg_trigger WHERE NOT tgisinternal
     UNION SELECT 'migration ' || name FROM sluice_migrations ORDER BY 1`,
  );

it('the schema is that of 0.1.0', async () => {
  const other = openDatabase({ url: fresh.url, poolSize: 1, statementTimeoutMs: 60_000, applicationName: 'test' });
  await migrate(other, old);
  await other.close();
  expect(await columns(database)).toEqual(await columns(fresh));
  expect(await others(database)).toEqual(await others(fresh));
});

it('the writer of 0.1.0 stores, knows every id of before, and counts sessions on', async () => {
  expect(await storeAsBefore(1)).toBe(0);
  expect(await storeAsBefore(109)).toBe(1);
  expect(await storeAsBefore(210)).toBe(2);
  expect(await found()).toEqual({ events: 26, ids: 26 });
  // Of three events of a batch, the first two are in s-1.
  expect(await database.query('SELECT session_id, event_count::int FROM sessions ORDER BY 1')).toEqual([
    { session_id: 's-1', event_count: 23 },
    { session_id: 's-2', event_count: 3 },
  ]);
});

it('the database can be migrated to segments again', async () => {
  await prepareDatabase(opened);
  expect(await found()).toEqual({ events: 26, ids: 26 });
  await storeInSegments(301, 5, 'now()');
  expect(await found()).toEqual({ events: 31, ids: 31 });
});
