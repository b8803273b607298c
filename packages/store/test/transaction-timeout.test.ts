import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import { inTransaction } from '../src/in-transaction.ts';
import { kyselyOf } from '../src/kysely-of.ts';
import { createOrm, type Orm } from '../src/orm.ts';

let database: TestDatabase;
let limited: Orm;
let unlimited: Orm;
beforeAll(async () => {
  database = await createTestDatabase({ empty: true });
  const options = { url: database.url, poolSize: 1, statementTimeoutMs: 30_000, applicationName: 'test' };
  limited = await createOrm({ ...options, transactionTimeoutMs: 200 });
  unlimited = await createOrm(options);
});
afterAll(async () => {
  await Promise.all([limited.close(true), unlimited.close(true)]);
  await database.drop();
});

it('a transaction that takes longer than its limit is ended by the server, and the pool goes on', async () => {
  const slow = inTransaction(limited, (db) => sql`SELECT pg_sleep(20)`.execute(db));
  await expect(slow).rejects.toMatchObject({ code: '25P04' });
  expect((await sql<{ one: number }>`SELECT 1 AS one`.execute(kyselyOf(limited))).rows).toEqual([{ one: 1 }]);
});

it('without a limit there is none', async () => {
  const { rows } = await sql<{ timeout: string }>`
    SELECT current_setting('transaction_timeout') AS timeout`.execute(kyselyOf(unlimited));
  expect(rows).toEqual([{ timeout: '0' }]);
});
