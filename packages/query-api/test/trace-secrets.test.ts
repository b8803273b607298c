import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { freePort } from '@sluice/local-stack/free-port';
import { type OtlpReceiver, startOtlpReceiver } from '@sluice/local-stack/otlp-receiver';
import { startTestDaemon, type TestDaemon } from '@sluice/testkit/test-daemon';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import { testNamespace } from '@sluice/testkit/test-namespace';

const SECRETS = {
  configured: 'planted-configured-key-5dG',
  database: 'planted-password-of-postgres-8hW',
  servers: 'planted-secret-of-the-server-9zK',
  tenants: 'planted-secret-of-the-tenant-7fQ',
  sealing: randomBytes(32).toString('base64'),
  person: 'planted-name-of-a-person-4mT',
};

/** Of this file alone: roles belong to the server, which all test files share. */
const ROLE = `planted_${randomBytes(6).toString('hex')}`;

let receiver: OtlpReceiver;
let database: TestDatabase;
let query: TestDaemon;
let endpoint: string;
beforeAll(async () => {
  receiver = await startOtlpReceiver();
  // Nothing listens there, so every use of the credentials fails and is traced.
  endpoint = `http://127.0.0.1:${await freePort()}`;
  database = await createTestDatabase();
  await database.query(`CREATE ROLE ${ROLE} SUPERUSER LOGIN PASSWORD '${SECRETS.database}'`);
  const url = new URL(database.url);
  url.username = ROLE;
  url.password = SECRETS.database;
  query = await startTestDaemon('query-api', {
    API_KEY: SECRETS.configured,
    REDIS_URL: inject('redisUrl'),
    SLUICE_NAMESPACE: testNamespace(),
    DATABASE_URL: url.href,
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint,
    OTEL_BSP_SCHEDULE_DELAY: '50',
    EXPORT_ENCRYPTION_KEYS: `k1:${SECRETS.sealing}`,
    EXPORT_ALLOW_PRIVATE: 'true',
    CLIENT_S3_BUCKET: 'servers-bucket',
    CLIENT_S3_ENDPOINT: endpoint,
    CLIENT_S3_ACCESS_KEY: 'SERVERSACCESSKEY',
    CLIENT_S3_SECRET_KEY: SECRETS.servers,
  });
});
afterAll(async () => {
  await query.stop();
  await database.query(`DROP ROLE ${ROLE}`);
  await database.drop();
  await receiver.stop();
});

it('no span holds a secret or what a person sent', async () => {
  let asked = 0;
  const ask = async (method: string, path: string, body?: unknown, key: string = SECRETS.configured) => {
    asked += 1;
    const response = await fetch(`${query.url}${path}`, {
      method,
      headers: { 'x-api-key': key, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      body: body === undefined ? null : JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as Record<string, string> };
  };
  const destination = {
    kind: 's3',
    bucket: 'tenants-bucket',
    endpoint,
    credentials: { access_key_id: 'TENANTSACCESSKEY', secret_access_key: SECRETS.tenants },
  };
  const { body: made } = await ask('POST', '/api/keys', { name: SECRETS.person, scopes: ['read'] });
  const { person } = SECRETS;
  for (const [method, path, body, status] of [
    ['PUT', '/export/config', { destination }, 200],
    ['PUT', '/export/config', { destination: { ...destination, bucket: '?' } }, 400],
    ['POST', '/export/config/test', undefined, 200],
    ['POST', '/export/config/test', { destination }, 200],
    ['POST', '/export/run', {}, 202],
    ['GET', `/api/dead-letters?text=${person}`, undefined, 200],
    ['POST', '/api/events/query', { user_names: [person], payload: { note: person } }, 200],
    ['GET', '/api/keys', undefined, 200],
  ] as const) {
    expect((await ask(method, path, body)).status, `${method} ${path}`).toBe(status);
  }
  expect((await ask('GET', '/api/dead-letters', undefined, made['key'])).status).toBe(200);
  expect((await ask('GET', '/api/dead-letters', undefined, `${made['key']}x`)).status).toBe(401);
  expect((await ask('DELETE', `/api/keys/${made['id']}`)).status).toBe(200);

  await receiver.until(
    (spans) =>
      spans.filter(({ service, kind }) => service === 'sluice-query-api' && kind === 'server').length === asked &&
      spans.some(({ name }) => name.startsWith('S3.')),
    'the span of each request, and S3',
  );
  const text = JSON.stringify(receiver.spans);
  const wanted: Record<string, string> = { ...SECRETS, stored: made['key']! };
  for (const [name, secret] of Object.entries(wanted)) {
    for (const spelling of [
      secret,
      Buffer.from(secret).toString('base64').slice(0, -2),
      createHash('sha256').update(secret).digest('hex'),
      createHash('sha256').update(secret).digest('base64'),
    ]) {
      expect(text.includes(spelling), `${name}, ${spelling}, in a span`).toBe(false);
    }
  }
  // The search would find them.
  expect(text).toContain('tenants-bucket');
});
