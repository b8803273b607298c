import { afterAll, beforeAll, expect, it } from 'vitest';
import { expectError } from '@sluice/testkit/expect-error';
import { get } from '@sluice/testkit/http';
import { startTestDaemon, type TestDaemon } from '@sluice/testkit/test-daemon';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';

let database: TestDatabase;
let query: TestDaemon;
beforeAll(async () => {
  database = await createTestDatabase({ empty: true });
  query = await startTestDaemon('query-api', { DATABASE_URL: database.url });
});
afterAll(async () => {
  await query.stop();
  await database.drop();
});

it('without the schema the query API is not ready, says why, and answers 503', async () => {
  const ready = await get(`${query.url}/ready`);
  expect(ready.status).toBe(503);
  expect(ready.body.failed).toContain('postgres');
  const health = (await get(`${query.url}/health`)).body;
  expect(health).toMatchObject({
    status: 'unhealthy',
    checks: { postgres: 'failed' },
    details: {
      postgres: { code: 'schema_missing', error: expect.stringContaining('has no tables of Sluice') as string },
    },
  });
  for (const path of ['/api/events/recent', '/api/events/statistics', '/api/dead-letters', '/api/sessions'])
    expectError(await get(`${query.url}${path}`), 'schema_missing', /does not exist/);
});

it('a schema that search_path does not reach is named', async () => {
  await database.query('CREATE SCHEMA hidden; CREATE TABLE hidden.sluice_migrations (name text)');
  const { body } = await get(`${query.url}/health`);
  expect(body.details.postgres.error).toMatch(/in schema "hidden".*DATABASE_SCHEMA/);
});
