import { afterAll, beforeAll, expect, it } from 'vitest';
import { openDatabase, type Database } from '@sluice/store/database';
import { register } from '@sluice/store/layout/expiring-segments';
import { makeSegments } from '@sluice/store/layout/make-segment';
import { listSegments } from '@sluice/store/layout/segments';
import { migrate } from '@sluice/store/migrations/migrate';
import { MIGRATIONS } from '@sluice/store/migrations/migrations';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import { makeWeeklyPartition } from '@sluice/testkit/weekly-partition';
import { dropSegments, type DropOptions } from '../src/retention/drop-segments.ts';

const DAY_MS = 24 * 60 * 60_000;
const NOW = new Date('2026-07-15T12:00:00Z');
const daysAgo = (days: number): Date => new Date(NOW.getTime() - days * DAY_MS);

const OPTIONS: DropOptions = {
  now: NOW,
  days: 30,
  exportsByDefault: false,
  archive: null,
  signal: new AbortController().signal,
  lockTimeoutMs: 1_000,
  progress: () => {},
};

let database: TestDatabase;
let opened: Database;
let [oldest, mixed, pending, young]: string[] = [];
beforeAll(async () => {
  database = await createTestDatabase({ empty: true });
  opened = openDatabase({
    url: database.url,
    poolSize: 6,
    statementTimeoutMs: 30_000,
    applicationName: 'sluice-maintenance',
  });
  await migrate(opened, MIGRATIONS.slice(0, 7));
  const weeks = [];
  for (const days of [70, 63, 56, 14]) {
    weeks.push(await makeWeeklyPartition(database, daysAgo(days)));
    await store('acme', days, 50);
  }
  await store('museum', 63, 20);
  [oldest, mixed, pending, young] = weeks as [string, string, string, string];
  // A maintenance worker of 0.1.0 died in the middle of this one's DETACH.
  await database.query('INSERT INTO expiring_partitions (name, lower_bound, upper_bound) VALUES ($1, $2, $2)', [
    pending,
    daysAgo(56),
  ]);
  const reader = await database.connect();
  await reader.query('BEGIN; SELECT count(*) FROM events');
  const worker = await database.connect();
  await worker.query("SET lock_timeout = '100ms'");
  await worker.query(`ALTER TABLE events DETACH PARTITION ${pending} CONCURRENTLY`).catch(() => {});
  await reader.query('COMMIT');
  await Promise.all([reader.end(), worker.end()]);
  await migrate(opened);
  await makeSegments(opened);
});
afterAll(async () => {
  await opened.close();
  await database.drop();
});

const store = (tenant: string, days: number, count: number) =>
  database.query(
    `INSERT INTO events (tenant, event_id, event_type, occurred_at, received_at, source, payload, stored_at)
     SELECT $1, gen_random_uuid(), 'X', $2, $2, 's', '{}', $2 FROM generate_series(1, $3::int)`,
    [tenant, daysAgo(days), count],
  );
const count = async (table: string): Promise<number> =>
  (await database.query<{ count: number }>(`SELECT count(*)::int FROM ${table}`))[0]!.count;
const states = async (): Promise<string[]> =>
  (await listSegments(opened.db)).map(({ relation, state }) => `${relation} ${state}`);

it('what 0.1.0 left is adopted: begun ones are finished, expired ones go, and kept events move into their place', async () => {
  expect(await states()).toEqual([
    `${oldest} sealed`,
    `${mixed} sealed`,
    `${young} sealed`,
    'events_s1 hot',
    'events_s2 next',
  ]);
  await database.query("INSERT INTO tenant_retention (tenant, days, updated_by) VALUES ('museum', 365, 'test')");
  const first = await dropSegments(opened, OPTIONS);
  expect(first).toMatchObject({
    dropped: [pending, oldest, mixed],
    rewritten: [`${mixed}_r1`],
    waiting: [],
    failures: [],
    events: 150,
  });
  expect(await states()).toEqual([`${mixed}_r1 sealed`, `${young} sealed`, 'events_s1 hot', 'events_s2 next']);
  expect([await count(`${mixed}_r1`), await count('events_weekly'), await count('events')]).toEqual([20, 70, 70]);
  // Its indexes are those of its parent, and the one that makes an id unique.
  const [indexes] = await database.query(
    `SELECT count(*)::int AS own, count(i.inhrelid)::int AS of_parent, count(*) FILTER (WHERE x.indisunique)::int AS is_unique
     FROM pg_index AS x LEFT JOIN pg_inherits AS i ON i.inhrelid = x.indexrelid WHERE x.indrelid = '${mixed}_r1'::regclass`,
  );
  expect(indexes).toEqual({ own: 8, of_parent: 7, is_unique: 1 });
  expect(await dropSegments(opened, OPTIONS)).toMatchObject({ dropped: [], rewritten: [], waiting: [], failures: [] });
});

it('a segment of a week that was registered and not detached is judged again', async () => {
  await register(opened.db, young!);
  expect(await dropSegments(opened, OPTIONS)).toMatchObject({ dropped: [], waiting: [], failures: [] });
  expect(await states()).toContain(`${young} sealed`);
});

it('when the last weekly partition is gone, so is their parent, also after an interruption', async () => {
  const later = { ...OPTIONS, now: new Date(NOW.getTime() + 400 * DAY_MS) };
  // A reader that has the parent open lets it wait.
  const reader = await database.connect();
  await reader.query('BEGIN; SELECT count(*) FROM events');
  expect(await dropSegments(opened, later)).toMatchObject({ dropped: [], failures: [] });
  await reader.query('COMMIT');
  await reader.end();
  expect(await dropSegments(opened, later)).toMatchObject({
    dropped: [`${mixed}_r1`, young],
    failures: [],
    waiting: [],
  });
  expect(await database.query("SELECT to_regclass('events_weekly') AS parent")).toEqual([{ parent: null }]);
  expect(await states()).toEqual(['events_s1 hot', 'events_s2 next']);
  await database.query(
    `INSERT INTO events (tenant, event_id, event_type, occurred_at, received_at, source, payload)
     VALUES ('t', gen_random_uuid(), 'X', now(), now(), 's', '{}')`,
  );
  expect(await count('events')).toBe(1);
});
