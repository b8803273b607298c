import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import { type Database, openDatabase } from '../src/database.ts';
import { executeNamed } from '../src/named-statement.ts';
import { inTransaction } from '../src/transaction.ts';

let database: TestDatabase;
let opened: Database;
beforeAll(async () => {
  database = await createTestDatabase();
  opened = openDatabase({ url: database.url, poolSize: 1, statementTimeoutMs: 60_000, applicationName: 'test' });
});
afterAll(async () => {
  await opened.close();
  await database.drop();
});

const sleep = () => ({
  name: 'sleep',
  query: sql<{ slept: string }>`SELECT pg_sleep(${50}) AS slept`.compile(opened.db),
});

/** Whether a statement of this database sleeps. */
const isAsleep = async () =>
  (await database.query("SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"))
    .length === 1;

it('what pg’s own client does inside a transaction is a part of it', async () => {
  const query = sql<{ tenant: string }>`
    INSERT INTO tenant_retention VALUES (${'t'}, 1, null, now(), 'test') RETURNING tenant`.compile(opened.db);
  await expect(
    inTransaction(opened, async (db, client) => {
      expect(await executeNamed(opened, client, { name: 'retain', query })).toEqual([{ tenant: 't' }]);
      expect((await sql`SELECT FROM tenant_retention`.execute(db)).rows).toHaveLength(1);
      throw new RangeError('of the work');
    }),
  ).rejects.toThrow(new RangeError('of the work'));
  expect(await database.query('SELECT FROM tenant_retention')).toHaveLength(0);
});

it.each([
  [
    'outside of a transaction',
    (stop: AbortSignal) => opened.withClient((client) => executeNamed(opened, client, sleep(), stop)),
  ],
  [
    'inside a transaction',
    (stop: AbortSignal) => inTransaction(opened, (_, client) => executeNamed(opened, client, sleep(), stop)),
  ],
])('a statement that is aborted %s ends on the server too, and its connection stays usable', async (_, run) => {
  const stop = new AbortController();
  const running = run(stop.signal);
  await vi.waitFor(async () => expect(await isAsleep()).toBe(true), { timeout: 50_000, interval: 10 });
  stop.abort();
  await expect(running).rejects.toMatchObject({ code: '57014' });
  expect(await isAsleep()).toBe(false);
  expect((await sql<{ one: number }>`SELECT 1 AS one`.execute(opened.db)).rows).toEqual([{ one: 1 }]);
});

it('a statement is not sent when the signal was aborted before', async () => {
  const stop = AbortSignal.abort(new RangeError('too late'));
  const running = opened.withClient((client) => executeNamed(opened, client, sleep(), stop));
  await expect(running).rejects.toThrow(new RangeError('too late'));
});
