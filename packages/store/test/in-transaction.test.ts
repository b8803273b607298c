import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import { openDatabase, type Database } from '../src/database.ts';
import { inTransaction } from '../src/transaction.ts';

const POOL_SIZE = 2;
let database: TestDatabase;
let opened: Database;
beforeAll(async () => {
  database = await createTestDatabase();
  opened = openDatabase({
    url: database.url,
    poolSize: POOL_SIZE,
    statementTimeoutMs: 30_000,
    applicationName: 'test',
  });
});
afterAll(async () => {
  await opened.close();
  await database.drop();
});

const one = () =>
  inTransaction(opened, async (db) => (await sql<{ one: number }>`SELECT 1 AS one`.execute(db)).rows[0]?.one);

it('a connection that breaks inside a transaction gives its slot of the pool back, however often', async () => {
  for (let broken = 0; broken < POOL_SIZE * 3; broken += 1) {
    const failing = inTransaction(opened, (db) => sql`SELECT pg_terminate_backend(pg_backend_pid())`.execute(db));
    await expect(failing).rejects.toThrow(/terminat/i);
  }
  expect(await Promise.all([one(), one()])).toEqual([1, 1]);
});

it('the caller gets what the work threw, and nothing is stored', async () => {
  const failing = inTransaction(opened, async (db) => {
    await sql`INSERT INTO tenant_retention VALUES ('t', 1, null, now(), 'test')`.execute(db);
    throw new RangeError('of the work');
  });
  await expect(failing).rejects.toThrow(new RangeError('of the work'));
  expect(await database.query('SELECT 1 FROM tenant_retention')).toHaveLength(0);
});

it('a database that does not exist is not made', async () => {
  const url = new URL(database.url);
  url.pathname = '/no_such_database';
  const wrong = openDatabase({ url: url.href, poolSize: 1, statementTimeoutMs: 1_000, applicationName: 'test' });
  await expect(inTransaction(wrong, (db) => sql`SELECT 1`.execute(db))).rejects.toThrow(/does not exist/);
  await wrong.close();
});
