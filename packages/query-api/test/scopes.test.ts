import Fastify from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKeyRing } from '@sluice/access/key-ring';
import { SCOPES } from '@sluice/access/scopes';
import { expectError } from '@sluice/testkit/expect-error';
import { type Answer, get } from '@sluice/testkit/http';
import { type Operations, startOperations } from '@sluice/testkit/operations';
import { startTestDaemon } from '@sluice/testkit/test-daemon';
import { addRateLimits } from '../src/http/rate-limits.ts';
import { addAuthentication } from '../src/http/require-scope.ts';

interface Operation {
  readonly method: string;
  readonly path: string;
  /** What the documentation says it needs; undefined for routes that need no key. */
  readonly scope: string | undefined;
}

let operations: Operations;
let documented: Operation[];
/** A key with every scope but this one. */
const keyWithout = new Map<string, string>();
beforeAll(async () => {
  operations = await startOperations({ API_KEY: 'the-key' }, { ingest: false });
  const { paths } = (await get(`${operations.query.url}/docs/json`)).body as {
    paths: Record<string, Record<string, { security?: Record<string, string[]>[] }>>;
  };
  documented = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { security }]) => ({
      method: method.toUpperCase(),
      path: path.replaceAll(/\{\w+\}/g, '1'),
      scope: security?.[0]?.['apiKey']?.[0],
    })),
  );
  for (const scope of SCOPES) {
    const scopes = SCOPES.filter((each) => each !== scope);
    const { body } = await operations.ask('POST', '/api/keys', { name: `no ${scope}`, scopes }, 'the-key');
    keyWithout.set(scope, body.key);
  }
});
afterAll(() => operations.stop());

const ask = ({ method, path }: Operation, key?: string): Promise<Answer> =>
  operations.ask(method, path, method === 'GET' || method === 'DELETE' ? undefined : {}, key);

describe('every route', () => {
  it('needs a key, but for those of health', async () => {
    const open = documented.filter(({ scope }) => scope === undefined).map(({ path }) => path);
    expect(open.toSorted()).toEqual(['/health', '/live', '/ready']);
    for (const operation of documented.filter(({ scope }) => scope !== undefined)) {
      expectError(await ask(operation), 'unauthorized');
    }
  });

  it('refuses a key that has every scope but the one that it needs, whatever is asked, and names it', async () => {
    const guarded = documented.filter(({ scope }) => scope !== undefined);
    expect(guarded.length).toBeGreaterThan(12);
    for (const operation of guarded) {
      const answer = await ask(operation, keyWithout.get(operation.scope!));
      expect([answer.status, answer.body.error.code], `${operation.method} ${operation.path}`).toEqual([
        403,
        'forbidden',
      ]);
      expect(answer.body.error.message).toContain(`"${operation.scope}"`);
    }
  });

  it('needs more than read to change something, and admin for keys', () => {
    const changing = documented.filter(({ method, path }) => method !== 'GET' && !path.endsWith('/query'));
    expect(changing.filter(({ scope }) => scope === 'read')).toEqual([]);
    const scopesOfKeys = documented.filter(({ path }) => path.startsWith('/api/keys')).map(({ scope }) => scope);
    expect(scopesOfKeys).toEqual(['admin', 'admin', 'admin']);
  });
});

it('a key of ingest alone can do nothing here', async () => {
  const { body } = await operations.ask('POST', '/api/keys', { name: 'in', scopes: ['ingest'] }, 'the-key');
  expectError(await operations.ask('GET', '/api/queue', undefined, body.key), 'forbidden');
});

it('a caller without a key cannot manage keys of an open instance', async () => {
  const open = await startTestDaemon('query-api', { DATABASE_URL: operations.pipeline.database.url });
  expect((await get(`${open.url}/api/dead-letters`)).status).toBe(200);
  for (const [method, path, body] of [
    ['POST', '/api/keys', { name: 'mine', scopes: ['admin'] }],
    ['GET', '/api/keys', undefined],
    ['DELETE', '/api/keys/0123456789abcdef', undefined],
  ] as const) {
    const answer = await fetch(`${open.url}${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    expect(answer.status, `${method} ${path}`).toBe(403);
  }
  await open.stop();
});

it('with REQUIRE_KEYS and no configured key only stored keys are let in', async () => {
  const { pipeline } = operations;
  const env = { DATABASE_URL: pipeline.database.url, SLUICE_NAMESPACE: pipeline.namespace, REQUIRE_KEYS: 'true' };
  const shut = await startTestDaemon('query-api', env);
  expect(shut.output()).not.toContain('OPEN');
  expectError(await get(`${shut.url}/api/queue`), 'unauthorized');
  expect((await get(`${shut.url}/api/queue`, { 'x-api-key': keyWithout.get('ingest')! })).status).not.toBe(401);
  await shut.stop();
});

it('a route that does not say which scope it needs does not start', async () => {
  const server = Fastify();
  const keys = createKeyRing([], false);
  await addRateLimits(server, keys, 0);
  await addAuthentication(server, keys, false);
  expect(() => server.get('/api/forgotten', () => ({}))).toThrow(/GET \/api\/forgotten does not say which scope/);
});
