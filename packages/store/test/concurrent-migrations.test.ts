import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type pg from 'pg';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import { type Database, openDatabase } from '../src/database.ts';
import { migrate, pendingMigrations } from '../src/migrations/migrate.ts';
import { MIGRATIONS } from '../src/migrations/migrations.ts';
import { WITH_INDEXES } from './fixtures/migrations-with-indexes.ts';

const PATIENCE = { timeout: 50_000, interval: 10 };
const ALL = [...MIGRATIONS, WITH_INDEXES];

let database: TestDatabase;
let opened: Database;
const clients: pg.Client[] = [];
const children: ChildProcess[] = [];
beforeEach(async () => {
  database = await createTestDatabase();
  opened = openDatabase({ url: database.url, poolSize: 1, statementTimeoutMs: 30_000, applicationName: 'test' });
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await Promise.all(clients.splice(0).map((client) => client.end()));
  await opened.close();
  await database.drop();
});

/** A transaction that has written to the table: a concurrent build of an index waits for its end. */
async function holdSessions(session = 's'): Promise<pg.Client> {
  const client = await database.connect();
  clients.push(client);
  await client.query('BEGIN');
  await client.query("INSERT INTO sessions VALUES ('t', $1, 'ada', now(), now(), now(), 1)", [session]);
  return client;
}

/** A process that migrates, as a daemon does at its start. */
function migrateElsewhere(): ChildProcess {
  const child = fork(join(import.meta.dirname, 'fixtures/migrate-with-indexes.ts'), [database.url], {
    stdio: 'inherit',
  });
  children.push(child);
  return child;
}

async function untilBuilding(): Promise<number> {
  return vi.waitFor(async () => {
    const rows = await database.query<{ pid: number }>(
      "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'CREATE INDEX CONCURRENTLY%' AND wait_event_type = 'Lock'",
    );
    expect(rows).toHaveLength(1);
    return rows[0]!.pid;
  }, PATIENCE);
}

const indexes = () =>
  database.query(
    "SELECT indexrelid::regclass::text AS name, indisvalid AS valid FROM pg_index WHERE indexrelid::regclass::text LIKE 'test_%' ORDER BY 1",
  );
const BUILT = [
  { name: 'test_sessions_actor', valid: true },
  { name: 'test_sessions_seen', valid: true },
];

it('indexes are built outside of a transaction, and writers do not wait for it', async () => {
  const holder = await holdSessions();
  const migrating = migrate(opened, ALL);
  await untilBuilding();
  // What an ordinary CREATE INDEX would make wait until the holder has ended.
  await database.query("INSERT INTO sessions VALUES ('t', 'other', 'ada', now(), now(), now(), 1)");
  expect(await database.query('SELECT finished FROM sluice_migrations WHERE NOT finished')).toHaveLength(1);
  await holder.query('COMMIT');
  expect(await migrating).toEqual([WITH_INDEXES.name]);
  expect(await indexes()).toEqual(BUILT);
  expect(await pendingMigrations(opened, ALL)).toEqual([]);
  expect(await migrate(opened, ALL)).toEqual([]);
});

it('after kill -9 in the middle of a build, the next run finishes it and does nothing twice', async () => {
  const holder = await holdSessions();
  const child = migrateElsewhere();
  await untilBuilding();
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(await pendingMigrations(opened, ALL)).toEqual([WITH_INDEXES.name]);
  const migrating = migrate(opened, ALL);
  await holder.query('COMMIT');
  expect(await migrating).toEqual([WITH_INDEXES.name]);
  expect(await indexes()).toEqual(BUILT);
  // The statements ran once: the table of the migration is there, and its row too.
  expect(await database.query('SELECT n FROM test_expanded')).toEqual([{ n: 1 }]);
});

it('a build that fails leaves an invalid index, which the next run drops and builds again', async () => {
  const holder = await holdSessions();
  const migrating = migrate(opened, ALL);
  const pid = await untilBuilding();
  await database.query('SELECT pg_terminate_backend($1)', [pid]);
  await expect(migrating).rejects.toThrow(/terminat/i);
  expect(await indexes()).toEqual([{ name: 'test_sessions_seen', valid: false }]);
  await holder.query('COMMIT');
  expect(await migrate(opened, ALL)).toEqual([WITH_INDEXES.name]);
  expect(await indexes()).toEqual(BUILT);
});

it('a build may take longer than a statement, and the connection has its time-outs again afterwards', async () => {
  const short = openDatabase({ url: database.url, poolSize: 1, statementTimeoutMs: 200, applicationName: 'test' });
  try {
    const holder = await holdSessions();
    const migrating = migrate(short, ALL);
    const pid = await untilBuilding();
    const waitsFor = async () =>
      Number(
        (
          await database.query<{ ms: string }>(
            'SELECT extract(epoch FROM clock_timestamp() - query_start) * 1000 AS ms FROM pg_stat_activity WHERE pid = $1',
            [pid],
          )
        )[0]?.ms,
      );
    await vi.waitFor(async () => expect(await waitsFor()).toBeGreaterThan(400), PATIENCE);
    await holder.query('COMMIT');
    expect(await migrating).toEqual([WITH_INDEXES.name]);
    const stuck = await holdSessions('locked');
    await expect(
      short.withClient((client) =>
        client.query("INSERT INTO sessions SELECT 't', 'locked', 'ada', now(), now(), now(), 1"),
      ),
    ).rejects.toMatchObject({ code: '57014' });
    await stuck.query('ROLLBACK');
  } finally {
    await short.close();
  }
});
