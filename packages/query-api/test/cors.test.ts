import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestDaemon, type TestDaemon } from '@sluice/testkit/test-daemon';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';

const APP = 'https://app.example.com';

let database: TestDatabase;
let listed: TestDaemon;
let none: TestDaemon;
beforeAll(async () => {
  database = await createTestDatabase();
  const env = { DATABASE_URL: database.url, API_KEY: 'k' };
  [listed, none] = await Promise.all([
    startTestDaemon('query-api', { ...env, CORS_ORIGINS: `${APP},http://localhost:5173` }),
    startTestDaemon('query-api', env),
  ]);
});
afterAll(async () => {
  await Promise.all([listed.stop(), none.stop()]);
  await database.drop();
});

const preflight = (url: string, origin: string) =>
  fetch(`${url}/api/keys/0123456789abcdef`, {
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': 'DELETE',
      'access-control-request-headers': 'authorization, x-api-key',
    },
  });

it('a page of a listed origin may ask with a key, and read the answer and its limits', async () => {
  const allowed = await preflight(listed.url, APP);
  expect(allowed.status).toBe(204);
  expect(allowed.headers.get('access-control-allow-origin')).toBe(APP);
  expect(allowed.headers.get('access-control-allow-methods')).toContain('DELETE');
  expect(allowed.headers.get('access-control-allow-headers')).toMatch(/authorization.*x-api-key/);
  // The page can also read why it was refused.
  const refused = await fetch(`${listed.url}/api/queue`, { headers: { origin: APP } });
  expect(refused.status).toBe(401);
  expect(refused.headers.get('access-control-allow-origin')).toBe(APP);
  expect(refused.headers.get('access-control-expose-headers')).toMatch(/ratelimit-remaining/);
});

it.each(['https://evil.example', 'https://app.example.com.evil.example', 'http://app.example.com', 'null'])(
  'a page of %s may not',
  async (origin) => {
    expect((await preflight(listed.url, origin)).headers.get('access-control-allow-origin')).not.toBe(origin);
  },
);

it('without a list no page may', async () => {
  const answer = await fetch(`${none.url}/live`, { headers: { origin: APP } });
  expect(answer.headers.get('access-control-allow-origin')).toBeNull();
  expect((await preflight(none.url, APP)).status).toBe(404);
});
