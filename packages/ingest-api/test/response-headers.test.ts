import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { get } from '@sluice/testkit/http';
import { startIngest, type TestIngest } from '@sluice/testkit/ingest';
import { makeEvent } from '@sluice/testkit/make-event';

const APP = 'https://app.example.com';
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

let ingest: TestIngest;
let strict: TestIngest;

beforeAll(async () => {
  [ingest, strict] = await Promise.all([
    startIngest({ CORS_ORIGINS: '*' }),
    startIngest({ API_KEY: 'k', CORS_ORIGINS: `${APP},http://localhost:3000` }),
  ]);
});
afterAll(() => Promise.all([ingest.stop(), strict.stop()]));

const paths = ['/health', '/nothing', '/api/events', '/pixel.gif', '/docs/json'];

describe('X-Request-Id', () => {
  it.each(paths)('of GET %s is a new one for each request, and the one in an error', async (path) => {
    const [first, second] = [await get(`${ingest.url}${path}`), await get(`${ingest.url}${path}`)];
    expect(first.headers.get('x-request-id')).toMatch(UUID);
    expect(second.headers.get('x-request-id')).not.toBe(first.headers.get('x-request-id'));
    expect(first.body.error?.request_id ?? first.headers.get('x-request-id')).toBe(first.headers.get('x-request-id'));
  });

  it('is the client’s own when it is safe to log', async () => {
    const own = 'order-7:a_b.C';
    expect((await get(`${ingest.url}/live`, { 'x-request-id': own })).headers.get('x-request-id')).toBe(own);
    for (const odd of ['', 'a b', '"}{"level":60', 'x'.repeat(129), 'caf\u00e9']) {
      expect((await get(`${ingest.url}/live`, { 'x-request-id': odd })).headers.get('x-request-id')).toMatch(UUID);
    }
  });
});

it.each(paths)('X-Processing-Time of GET %s is in milliseconds, of this request alone', async (path) => {
  const asked = performance.now();
  const time = (await get(`${ingest.url}${path}`)).headers.get('x-processing-time');
  expect(time).toMatch(/^\d+\.\d\dms$/);
  // Without a start time it would be the age of the process.
  expect(Number.parseFloat(time!)).toBeLessThan(performance.now() - asked);
});

describe('what protects browsers', () => {
  const PROTECTIVE = {
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'cross-origin-resource-policy': 'cross-origin',
    'cache-control': 'no-store',
    'strict-transport-security': 'max-age=31536000',
  };
  const protective = ({ headers }: { headers: Headers }) =>
    Object.fromEntries(Object.keys(PROTECTIVE).map((name) => [name, headers.get(name)]));

  it.each(['/nothing', '/api/events', '/pixel.gif', '/collect', '/health', '/live', '/ready', '/metrics'])(
    'is in the answer to GET %s',
    async (path) => {
      expect(protective(await get(`${ingest.url}${path}`))).toEqual(PROTECTIVE);
    },
  );

  it('is in answers to batches and refusals', async () => {
    const batch = { events: [makeEvent()] };
    expect(protective(await ingest.send(batch))).toEqual(PROTECTIVE);
    expect(protective(await ingest.send('{'))).toEqual(PROTECTIVE);
    expect(protective(await ingest.send('x', { 'content-type': 'text/xml' }))).toEqual(PROTECTIVE);
    expect(protective(await strict.send(batch))).toEqual(PROTECTIVE);
    expect(protective(await get(`${strict.url}/pixel.gif`))).toEqual(PROTECTIVE);
  });

  it('leaves the page with the documentation its own policy', async () => {
    const { headers } = await fetch(`${ingest.url}/docs`);
    expect(headers.get('content-security-policy')).toContain("script-src 'self'");
    expect(headers.get('x-content-type-options')).toBe('nosniff');
  });
});

const preflight = (url: string, origin: string) =>
  fetch(`${url}/collect`, {
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'content-type,x-api-key',
    },
  });

describe('CORS', () => {
  it('a preflight tells a listed origin what it may send', async () => {
    const answer = await preflight(strict.url, APP);
    expect(answer.status).toBe(204);
    expect(answer.headers.get('access-control-allow-origin')).toBe(APP);
    expect(answer.headers.get('vary')).toMatch(/origin/i);
    expect(answer.headers.get('access-control-allow-methods')).toBe('GET, POST');
    const allowed = answer.headers.get('access-control-allow-headers')?.split(', ');
    expect(allowed).toEqual(expect.arrayContaining(['content-type', 'x-api-key', 'authorization', 'idempotency-key']));
    expect(answer.headers.get('access-control-allow-credentials')).toBeNull();
  });

  it.each(['https://evil.example.com', 'https://app.example.com.evil.com', 'http://app.example.com', 'null'])(
    'the origin %s is not listed',
    async (origin) => {
      expect((await preflight(strict.url, origin)).headers.get('access-control-allow-origin')).toBeNull();
      const answer = await get(`${strict.url}/live`, { origin });
      expect(answer.headers.get('access-control-allow-origin')).toBeNull();
    },
  );

  it('a page may read answers, errors included, and their headers', async () => {
    const answers = [
      await strict.send({ events: [makeEvent()] }, { origin: APP, 'x-api-key': 'k' }),
      await strict.send({ events: [makeEvent()] }, { origin: APP }),
      await strict.send('{', { origin: APP, 'x-api-key': 'k' }),
      await get(`${strict.url}/nothing`, { origin: APP }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([202, 401, 400, 404]);
    for (const { headers } of answers) {
      expect(headers.get('access-control-allow-origin')).toBe(APP);
      expect(headers.get('access-control-expose-headers')).toBe('x-request-id, x-processing-time, retry-after');
    }
  });

  it('* is for every origin', async () => {
    expect((await preflight(ingest.url, 'https://any.example')).headers.get('access-control-allow-origin')).toBe('*');
  });

  it('without CORS_ORIGINS no page may read anything', async () => {
    const silent = await startIngest();
    expect((await preflight(silent.url, APP)).headers.get('access-control-allow-origin')).toBeNull();
    expect((await get(`${silent.url}/live`, { origin: APP })).headers.get('access-control-allow-origin')).toBeNull();
    await silent.stop();
  });
});
