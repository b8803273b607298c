import { afterAll, beforeAll, expect, it } from 'vitest';
import { API_ERRORS, CODES_OF } from '@sluice/errors/api-errors';
import { get } from '@sluice/testkit/http';
import { startIngest, type TestIngest } from '@sluice/testkit/ingest';

interface Operation {
  readonly summary: string;
  readonly tags: string[];
  readonly parameters?: { readonly in: string; readonly name: string; readonly example?: string }[];
  readonly requestBody?: { readonly content: Record<string, { readonly example?: object }> };
  readonly responses: Record<string, { readonly description: string; readonly content?: object }>;
}

let ingest: TestIngest;
let api: { openapi: string; paths: Record<string, Record<string, Operation>>; components: object };

beforeAll(async () => {
  ingest = await startIngest({ API_KEY: 'k' });
  api = (await get(`${ingest.url}/docs/json`)).body;
});
afterAll(() => ingest.stop());

const bodyOf = (path: string) => operation(path, 'post').requestBody?.content['application/json']?.example;

const operation = (path: string, method: string): Operation => api.paths[path]![method]!;

it('every route documents that headers may be too large', () => {
  for (const [path, methods] of Object.entries(api.paths))
    for (const { responses } of Object.values(methods))
      expect(responses['431']?.description, path).toContain('headers_too_large');
});

it('is OpenAPI 3.1 and lists every route', () => {
  expect(api.openapi).toMatch(/^3\.1\./);
  const routes = Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(routes.toSorted()).toEqual([
    'GET /collect',
    'GET /health',
    'GET /live',
    'GET /pixel.gif',
    'GET /ready',
    'POST /api/events',
    'POST /collect',
  ]);
});

it('every route has a summary, a tag, and an example of its request or answer', () => {
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, each] of Object.entries(methods)) {
      expect(each.summary, `${method} ${path}`).toMatch(/\w/);
      expect(each.tags).toHaveLength(1);
      expect(JSON.stringify(each), `${method} ${path}`).toMatch(/"examples?":/);
      expect(Object.values(each.responses).every(({ description }) => description !== 'Default Response')).toBe(true);
    }
  }
});

it('its examples are accepted as they are', async () => {
  const key = { 'x-api-key': 'k' };
  expect((await ingest.send(bodyOf('/api/events'), key)).body).toMatchObject({ accepted: 1, rejected: 0 });
  expect((await ingest.collect(bodyOf('/collect'), key)).status).toBe(202);
  const query = new URLSearchParams();
  for (const { name, example } of operation('/collect', 'get').parameters ?? []) {
    if (example !== undefined) query.set(name, example);
  }
  expect(query.size).toBeGreaterThan(0);
  expect((await get(`${ingest.url}/collect?${query.toString()}`, key)).status).toBe(202);
});

it('every error code of a batch is explained under its status', () => {
  const { responses } = operation('/api/events', 'post');
  const elsewhere = new Set<string>([
    'not_found',
    'method_not_allowed',
    'request_timeout',
    'headers_too_large',
    'misdirected_request',
    'internal_error',
    'no_valid_events',
  ]);
  for (const code of CODES_OF.ingest.filter((each) => !elsewhere.has(each))) {
    expect(JSON.stringify(responses[API_ERRORS[code].status]), code).toContain(`\`${code}\``);
  }
  expect(Object.keys(responses)).toEqual(expect.arrayContaining(['202', '422']));
});

it('both ways to send a key are described', () => {
  expect(api.components).toMatchObject({
    securitySchemes: { apiKey: { name: 'X-API-Key' }, bearer: { scheme: 'bearer' } },
  });
});

it('/docs is a page whose parts load, also over plain HTTP', async () => {
  const response = await fetch(`${ingest.url}/docs`);
  const page = await response.text();
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toMatch(/text\/html/);
  expect(response.headers.get('content-security-policy')).toMatch(/script-src 'self'/);
  expect(response.headers.get('content-security-policy')).not.toContain('upgrade-insecure-requests');
  const parts = [...page.matchAll(/(?:src|href)="([^"]+\.(?:js|css))"/g)].map(([, path]) => path!);
  expect(parts.length).toBeGreaterThan(2);
  for (const path of parts) {
    expect((await fetch(new URL(path, response.url))).status, path).toBe(200);
  }
});
