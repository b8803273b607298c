import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type RawAnswer, sendRaw } from '@sluice/testkit/raw-http';
import { startTestDaemon, type TestDaemon } from '@sluice/testkit/test-daemon';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import { testNamespace } from '@sluice/testkit/test-namespace';

let database: TestDatabase;
let open: TestDaemon;
let named: TestDaemon;
let keyed: TestDaemon;
beforeAll(async () => {
  database = await createTestDatabase();
  const env = { DATABASE_URL: database.url, REDIS_URL: inject('redisUrl'), SLUICE_NAMESPACE: testNamespace() };
  [open, named, keyed] = await Promise.all([
    startTestDaemon('query-api', env),
    startTestDaemon('query-api', {
      ...env,
      HOST: '0.0.0.0',
      ALLOWED_HOSTS: 'sluice.example.com,[fd00::7]',
      CORS_ORIGINS: 'https://app.example.com',
    }),
    startTestDaemon('query-api', { ...env, API_KEY: 'the-key' }),
  ]);
});
afterAll(async () => {
  await Promise.all([open, named, keyed].map((daemon) => daemon.stop()));
  await database.drop();
});

const RUN = '/api/jobs/fold-rollups/runs';
const JSON_BODY = ['Content-Type: application/json', 'Content-Length: 2'];

function send(daemon: TestDaemon, line: string, headers: string[], body = ''): Promise<RawAnswer> {
  const url = daemon.url.replace('0.0.0.0', '127.0.0.1');
  return sendRaw(url, `${line} HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n${body}`);
}
const codeOf = ({ body }: RawAnswer): unknown => (JSON.parse(body) as { error?: { code: string } }).error?.code;
const from = (host: string, daemon = open) => send(daemon, 'GET /api/dead-letters', [`Host: ${host}`]);

describe('the host name of a request to an open instance', () => {
  it.each(['localhost', 'LOCALHOST:1234', 'localhost.', '127.0.0.1', '127.0.0.1:8081', '[::1]', '[::1]:8081'])(
    '%s is its own',
    async (host) => {
      expect((await from(host)).status).toBe(200);
    },
  );

  it.each([
    'evil.example',
    'evil.example:8081',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    'localhost@evil.example',
    '10.0.0.7',
    '[::2]',
    '0',
    '',
  ])('%j is refused, for reads and for changes', async (host) => {
    const read = await from(host);
    expect([read.status, codeOf(read)]).toEqual([421, 'misdirected_request']);
    const change = await send(open, `POST ${RUN}`, [`Host: ${host}`, ...JSON_BODY], '{}');
    expect(change.status).toBe(421);
    expect((await send(open, 'GET /docs/json', [`Host: ${host}`])).status).toBe(421);
  });

  it.each(['X-Forwarded-Host: localhost', 'X-Original-Host: localhost'])('%s does not help', async (header) => {
    expect((await send(open, 'GET /api/dead-letters', ['Host: evil.example', header])).status).toBe(421);
  });

  it('may be one of ALLOWED_HOSTS, and an address of its own where it listens on all', async () => {
    for (const host of ['sluice.example.com', 'Sluice.Example.com:8081', '[fd00::7]', '127.0.0.1', 'localhost']) {
      expect([host, (await from(host, named)).status]).toEqual([host, 200]);
    }
    for (const host of ['example.com', 'x.sluice.example.com', '192.0.2.7']) {
      expect([host, (await from(host, named)).status]).toEqual([host, 421]);
    }
  });

  it('is of no matter to probes and scrapes, nor where there are keys', async () => {
    for (const path of ['/health', '/ready', '/live', '/metrics']) {
      expect([path, (await send(open, `GET ${path}`, ['Host: query-api:8081'])).status]).toEqual([path, 200]);
    }
    const answer = await send(keyed, 'GET /api/dead-letters', ['Host: evil.example', 'X-API-Key: the-key']);
    expect(answer.status).toBe(200);
  });
});

describe('a page of another site', () => {
  it.each([
    ['Sec-Fetch-Site: cross-site'],
    ['Sec-Fetch-Site: same-site'],
    ['Origin: https://evil.example'],
    ['Origin: null'],
    ['Origin: http://127.0.0.1:1'],
    ['Origin: http://localhost'],
    ['Origin: https://app.example.com'],
    ['Origin: https://evil.example', 'Sec-Fetch-Site: same-origin'],
  ])('changes nothing: %s', async (...headers) => {
    const { host } = new URL(open.url);
    for (const [line, more, body] of [
      [`POST ${RUN}`, JSON_BODY, '{}'],
      [`POST ${RUN}`, ['Content-Length: 0'], ''],
      ['POST /export/run', ['Content-Type: application/json', 'Content-Length: 0'], ''],
      ['PUT /api/retention/x', JSON_BODY, '{}'],
      ['DELETE /export/config', [], ''],
    ] as const) {
      const answer = await send(open, line, [`Host: ${host}`, ...headers, ...more], body);
      expect([line, answer.status, codeOf(answer)]).toEqual([line, 403, 'cross_site_request']);
    }
  });

  it('sends no POST that a browser would not ask about first', async () => {
    for (const headers of [['Content-Length: 0'], ['Content-Type: text/plain', 'Content-Length: 0']]) {
      const answer = await send(open, `POST ${RUN}`, ['Host: localhost', ...headers]);
      expect([answer.status, codeOf(answer)]).toEqual([415, 'unsupported_media_type']);
    }
  });

  it('may be one of CORS_ORIGINS, or of the instance itself', async () => {
    const { port } = new URL(open.url);
    for (const [daemon, host, origin] of [
      [open, `localhost:${port}`, `http://localhost:${port}`],
      [named, 'localhost', 'https://app.example.com'],
    ] as const) {
      const answer = await send(
        daemon,
        'POST /api/dead-letters/discards',
        [`Host: ${host}`, `Origin: ${origin}`, ...JSON_BODY],
        '{}',
      );
      expect(answer.status).toBe(400);
    }
  });

  it('is of no matter where there are keys, which no page has', async () => {
    const answer = await send(
      keyed,
      'POST /api/dead-letters/discards',
      ['Host: localhost', 'X-API-Key: the-key', 'Sec-Fetch-Site: cross-site', ...JSON_BODY],
      '{}',
    );
    expect(answer.status).toBe(400);
  });
});

it('programs need neither an Origin nor a Sec-Fetch-Site', async () => {
  const answer = await send(open, `POST ${RUN}`, ['Host: localhost', ...JSON_BODY], '{}');
  // No maintenance worker has written the job down.
  expect(answer.status).toBe(404);
});
