import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import { openDatabase, type Database } from '../src/database.ts';
import { inTransaction } from '../src/transaction.ts';

let database: TestDatabase;
let limited: Database;
let unlimited: Database;
beforeAll(async () => {
  database = await createTestDatabase({ empty: true });
  const options = { url: database.url, poolSize: 1, statementTimeoutMs: 30_000, applicationName: 'test' };
  limited = openDatabase({ ...options, transactionTimeoutMs: 200 });
  unlimited = openDatabase(options);
});
afterAll(async () => {
  await Promise.all([limited.close(), unlimited.close()]);
  await database.drop();
});

it('a transaction that takes longer than its limit is ended by the server, and the pool stays usable', async () => {
  const slow = inTransaction(limited, (db) => sql`SELECT pg_sleep(20)`.execute(db));
  await expect(slow).rejects.toMatchObject({ code: '25P04' });
  expect((await sql<{ one: number }>`SELECT 1 AS one`.execute(limited.db)).rows).toEqual([{ one: 1 }]);
});

it('without a limit there is none', async () => {
  const { rows } = await sql<{ timeout: string }>`
    SELECT current_setting('transaction_timeout') AS timeout`.execute(unlimited.db);
  expect(rows).toEqual([{ timeout: '0' }]);
});
