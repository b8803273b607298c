import { request } from 'node:http';
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Operations, startOperations } from '@sluice/testkit/operations';

let operations: Operations;
beforeAll(async () => {
  operations = await startOperations({ API_KEY: 'the-key' }, { ingest: false });
  await operations.pipeline.database.query(`
    INSERT INTO events (tenant, event_id, event_type, occurred_at, received_at, source, payload)
    SELECT 'default', gen_random_uuid(), 'A', now(), now(), 'governance-tracker', jsonb_build_object('n', n)
    FROM generate_series(1, 250) AS n`);
  await operations.seed(30);
});
afterAll(() => operations.stop());

interface RawBody {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly bytes: Buffer;
}

/** The answer as it comes, without decoding. */
function ask(method: string, path: string, headers: Record<string, string> = {}, body?: string): Promise<RawBody> {
  return new Promise((resolve, reject) => {
    const sent = request(`${operations.query.url}${path}`, {
      method,
      headers: {
        'x-api-key': 'the-key',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
    });
    sent.on('error', reject);
    sent.on('response', (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () =>
        resolve({ status: response.statusCode!, headers: response.headers, bytes: Buffer.concat(parts) }),
      );
    });
    sent.end(body);
  });
}

describe.each([
  ['gzip', gunzipSync],
  ['br', brotliDecompressSync],
  ['zstd', zstdDecompressSync],
] as const)('with Accept-Encoding: %s', (coding, decode) => {
  it.each([
    ['a page', 'POST', '/api/events/query', '{"limit":250}', 'application/json'],
    ['a download of events', 'POST', '/api/events/query', '{}', 'application/x-ndjson'],
    ['a download of dead letters', 'GET', '/api/dead-letters', undefined, 'application/x-ndjson'],
    ['a list', 'GET', '/api/dead-letters', undefined, 'application/json'],
  ] as const)('%s is compressed', async (_name, method, path, body, accept) => {
    const plain = await ask(method, path, { accept, 'accept-encoding': 'identity' }, body);
    expect(plain.headers['content-encoding']).toBeUndefined();
    const packed = await ask(method, path, { accept, 'accept-encoding': coding }, body);
    expect(packed).toMatchObject({ status: 200, headers: { 'content-encoding': coding } });
    expect(packed.headers['vary']).toMatch(/accept-encoding/i);
    expect(packed.bytes.length).toBeLessThan(plain.bytes.length / 2);
    expect(decode(packed.bytes).toString()).toBe(plain.bytes.toString());
  });

  it('a small answer is not', async () => {
    const answer = await ask('GET', '/api/retention', { 'accept-encoding': coding });
    expect(answer).toMatchObject({ status: 200, headers: { 'content-length': String(answer.bytes.length) } });
    expect(answer.headers['content-encoding']).toBeUndefined();
  });

  it('streams of events are not: their last event would stay in the compressor', async () => {
    const [id] = await operations.seed(1);
    const { body: replay } = await operations.ask('POST', '/api/dead-letters/replays', { ids: [id] }, 'the-key');
    await operations.ask('POST', `/api/dead-letters/replays/${replay.id}/cancel`, undefined, 'the-key');
    const answer = await ask('GET', `/api/dead-letters/replays/${replay.id}/progress`, { 'accept-encoding': coding });
    expect(answer.headers['content-encoding']).toBeUndefined();
    expect(answer.bytes.toString()).toContain('event: progress');
  });
});

it.each([
  '/api/events/recent',
  '/api/audit-log',
  '/api/keys',
  '/export/config',
  '/api/dead-letters/999999',
  '/api/jobs',
])('no cache keeps %s, and no page frames it', async (path) => {
  const { headers } = await ask('GET', path);
  expect(headers).toMatchObject({
    'cache-control': 'no-store',
    'content-security-policy': "default-src 'none';frame-ancestors 'none'",
    'x-content-type-options': 'nosniff',
  });
});

it('a refused key is in no cache either', async () => {
  const answer = await ask('GET', '/api/events/recent', { 'x-api-key': 'wrong' });
  expect(answer).toMatchObject({ status: 401, headers: { 'cache-control': 'no-store' } });
});

describe('the page of the documentation', () => {
  it('is where a browser comes from /, and programs get an error', async () => {
    const page = await ask('GET', '/', { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' });
    expect(page).toMatchObject({ status: 302, headers: { location: '/docs' } });
    expect((await ask('GET', '/', { accept: '*/*' })).status).toBe(404);
  });

  it('has a policy that it keeps, and the name of Sluice', async () => {
    const page = await ask('GET', '/docs/');
    expect(page.headers['content-security-policy']).toMatch(/default-src 'none'; script-src 'self'/);
    expect(page.headers['content-security-policy']).not.toMatch(/https:|upgrade-insecure/);
    const html = page.bytes.toString();
    expect(html).toContain('<title>Sluice query API</title>');
    expect(html).not.toMatch(/<script>|<style|style="/);
    const icon = /href="([^"]*icon\.svg)"/.exec(html)![1]!;
    expect((await ask('GET', new URL(icon, `${operations.query.url}/docs/`).pathname)).headers['content-type']).toBe(
      'image/svg+xml',
    );
  });
});
