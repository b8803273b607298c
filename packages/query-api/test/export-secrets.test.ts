import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { freePort } from '@sluice/local-stack/free-port';
import { insertEvents } from '@sluice/testkit/insert-events';
import { type Operations, startOperations } from '@sluice/testkit/operations';
import type { TestDaemon } from '@sluice/testkit/test-daemon';

const SECRET = 'planted-secret-of-the-tenant-7fQ';
const SERVERS_SECRET = 'planted-secret-of-the-server-9zK';
const HOOK_SECRET = 'planted-secret-of-the-webhook-3xB';
const SEALING_KEY = randomBytes(32).toString('base64');

let operations: Operations;
let maintenance: TestDaemon;
let endpoint: string;
beforeAll(async () => {
  // Nothing listens there, so every use of the credentials fails and is logged.
  endpoint = `http://127.0.0.1:${await freePort()}`;
  const env = {
    LOG_LEVEL: 'trace',
    EXPORT_ENCRYPTION_KEYS: `k1:${SEALING_KEY}`,
    EXPORT_ALLOW_PRIVATE: 'true',
    CLIENT_S3_BUCKET: 'servers-bucket',
    CLIENT_S3_ENDPOINT: endpoint,
    CLIENT_S3_ACCESS_KEY: 'SERVERSACCESSKEY',
    CLIENT_S3_SECRET_KEY: SERVERS_SECRET,
  };
  operations = await startOperations({ API_KEY: 'the-key', ...env }, { ingest: false });
  maintenance = await operations.startMaintenance({
    ...env,
    EXPORT_WEBHOOK_URL: `${endpoint}/hook`,
    EXPORT_WEBHOOK_SECRET: HOOK_SECRET,
  });
});
afterAll(() => operations.stop());

it('no secret is ever answered, logged, or stored where it can be read', async () => {
  const { pipeline, query } = operations;
  const answers: string[] = [];
  const ask = async (method: string, path: string, body?: unknown): Promise<number> => {
    const answer = await operations.ask(method, path, body, 'the-key');
    answers.push(JSON.stringify([answer.body, [...answer.headers]]));
    return answer.status;
  };
  const destination = {
    kind: 's3',
    bucket: 'tenants-bucket',
    endpoint,
    credentials: { access_key_id: 'TENANTSACCESSKEY', secret_access_key: SECRET },
  };
  await insertEvents(pipeline.database, 'acme', 'default');
  expect(await ask('PUT', '/export/config?tenant=acme', { destination })).toBe(200);
  // Refused requests are logged, too.
  expect(await ask('PUT', '/export/config?tenant=acme', { destination, colour: SECRET.slice(0, 3) })).toBe(400);
  expect(await ask('PUT', '/export/config?tenant=acme', { destination: { ...destination, bucket: '?' } })).toBe(400);
  expect(
    await ask('PUT', '/export/config?tenant=acme', {
      destination: { ...destination, credentials: { access_key_id: 7, secret_access_key: SECRET } },
    }),
  ).toBe(400);
  expect(await ask('PUT', '/export/config?tenant=acme', `{"secret_access_key":"${SECRET}"`)).toBe(400);
  expect(await ask('POST', '/export/config/test?tenant=acme')).toBe(200);
  expect(await ask('POST', '/export/config/test?tenant=acme', { destination })).toBe(200);
  expect(await ask('POST', '/export/config/test')).toBe(200);
  const runs = ['/export/run?tenant=acme', '/export/run'];
  for (const path of runs) expect(await ask('POST', path)).toBe(202);
  // The workers have tried them, with the tenant's credentials and with the server's.
  await vi.waitFor(
    async () => {
      const rows = await pipeline.database.query('SELECT attempts, error FROM export_runs');
      for (const row of rows) expect(row).toMatchObject({ error: expect.any(String) as string });
    },
    { timeout: 180_000, interval: 100 },
  );
  for (const path of [
    '/export/config?tenant=acme',
    '/export/config',
    '/export/status',
    '/export/runs',
    '/api/audit-log',
    '/api/jobs/runs',
    '/health',
    '/metrics',
    '/docs/json',
  ]) {
    await ask('GET', path);
  }

  const tables = await pipeline.database.query<{ name: string }>(
    "SELECT relname AS name FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace",
  );
  const stored = await Promise.all(
    tables.map(async ({ name }) => JSON.stringify(await pipeline.database.query(`SELECT t::text FROM "${name}" t`))),
  );
  const keys = await pipeline.redis.keys(`*${pipeline.namespace}*`);
  const queued = await Promise.all(
    keys.map(async (key) => (await pipeline.redis.dumpBuffer(key))?.toString('latin1') ?? ''),
  );
  const everything = {
    answers: answers.join('\n'),
    'log of the query API': query.output(),
    'log of the maintenance worker': maintenance.output(),
    Postgres: stored.join('\n'),
    Redis: queued.join('\n'),
  };
  for (const [where, text] of Object.entries(everything)) {
    expect(text.length, where).toBeGreaterThan(100);
    for (const secret of [SECRET, SERVERS_SECRET, HOOK_SECRET, SEALING_KEY]) {
      for (const spelling of [
        secret,
        Buffer.from(secret).toString('base64').slice(0, -2),
        Buffer.from(secret).toString('hex'),
      ]) {
        expect(text.includes(spelling), `${spelling} in ${where}`).toBe(false);
      }
    }
  }
  // The search would find them.
  expect(everything.Postgres).toContain('tenants-bucket');
});
