import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import { inTransaction } from '../src/in-transaction.ts';
import { createOrm, type Orm } from '../src/orm.ts';

const POOL_SIZE = 2;
let database: TestDatabase;
let orm: Orm;
beforeAll(async () => {
  database = await createTestDatabase();
  orm = await createOrm({
    url: database.url,
    poolSize: POOL_SIZE,
    statementTimeoutMs: 30_000,
    applicationName: 'test',
  });
});
afterAll(async () => {
  await orm.close(true);
  await database.drop();
});

const one = () =>
  inTransaction(orm, async (db) => (await sql<{ one: number }>`SELECT 1 AS one`.execute(db)).rows[0]?.one);

it('a connection that breaks inside a transaction gives its place in the pool back, however often', async () => {
  for (let broken = 0; broken < POOL_SIZE * 3; broken += 1) {
    const failing = inTransaction(orm, (db) => sql`SELECT pg_terminate_backend(pg_backend_pid())`.execute(db));
    await expect(failing).rejects.toThrow(/terminat/i);
  }
  expect(await Promise.all([one(), one()])).toEqual([1, 1]);
});

it('what the work threw is what the caller gets, and nothing is kept', async () => {
  const failing = inTransaction(orm, async (db) => {
    await sql`INSERT INTO event_ids VALUES ('t', gen_random_uuid(), now())`.execute(db);
    throw new RangeError('of the work');
  });
  await expect(failing).rejects.toThrow(new RangeError('of the work'));
  expect(await database.query('SELECT 1 FROM event_ids')).toHaveLength(0);
});

it('a database that does not exist is not made', async () => {
  const url = new URL(database.url);
  url.pathname = '/no_such_database';
  const wrong = await createOrm({ url: url.href, poolSize: 1, statementTimeoutMs: 1_000, applicationName: 'test' });
  await expect(inTransaction(wrong, (db) => sql`SELECT 1`.execute(db))).rejects.toThrow(/does not exist/);
  await wrong.close(true);
});
