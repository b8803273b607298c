import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type CommandResult, runCommand } from '@sluice/testkit/run-command';
import { type FakeApi, sendJson, startFakeApi } from '../fixtures/fake-api.ts';

const MAIN = resolve(import.meta.dirname, '../../src/main.ts');
const sluice = (args: readonly string[], env: Record<string, string> = {}): Promise<CommandResult> =>
  runCommand(MAIN, args, { cwd: tmpdir(), env });

let ingest: FakeApi;
let website: FakeApi;
let prefixed: FakeApi;
beforeAll(async () => {
  [ingest, website, prefixed] = await Promise.all([
    startFakeApi(({ path }, response) => {
      if (path === '/docs/json') sendJson(response, 200, { info: { title: 'Sluice ingest API' } });
      else sendJson(response, 404, { error: { code: 'not_found', message: `There is no ${path}; see /docs.` } });
    }),
    startFakeApi((_request, response) => {
      response.writeHead(404, { 'content-type': 'text/html' }).end('<h1>Not found</h1>');
    }),
    startFakeApi(({ path }, response) => {
      if (path === '/sluice/api/keys') sendJson(response, 200, { keys: [], next_cursor: null });
      else sendJson(response, 500, {});
    }),
  ]);
});
afterAll(() => Promise.all([ingest.close(), website.close(), prefixed.close()]));

it.each([
  ['nonsense', /--url <url>' argument 'nonsense' is invalid\. It must be a URL such as http:\/\/127\.0\.0\.1:8081\./],
  ['localhost:8081', /must be a URL such as/],
  ['ftp://localhost:8081', /must be a URL such as/],
  ['http://', /must be a URL such as/],
  ['http://127.0.0.1:abc', /must be a URL such as/],
  ['http://ada:secret@127.0.0.1:8081', /must not contain a login/],
  ['http://127.0.0.1:8081/?tenant=acme', /must end before any "\?"/],
  ['', /must be a URL such as/],
])('--url "%s" is an error of use, in a line', async (url, message) => {
  const { code, stdout, stderr } = await sluice(['--url', url, 'status']);
  expect(stderr).toMatch(message);
  expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  expect(code).toBe(2);
  expect(stdout).toBe('');
});

it.each([
  [{ QUERY_URL: 'nonsense' }, /^QUERY_URL gives "nonsense"\. It must be a URL/],
  [{ QUERY_PORT: 'abc' }, /^QUERY_PORT gives "http:\/\/127\.0\.0\.1:abc"\./],
  [{ API_KEY: 'a\nb' }, /^The key has a character that no key has; check --key or API_KEY\.$/m],
])('%j is an error of use that names the variable', async (env, message) => {
  const { code, stderr } = await sluice(['status'], env);
  expect(stderr).toMatch(message);
  expect(stderr).not.toMatch(/\n {4}at |a\nb/);
  expect(code).toBe(2);
  expect((await sluice(['--help'], env)).code).toBe(0);
});

it('an empty variable counts as not set', async () => {
  const { stderr } = await sluice(['status'], { QUERY_URL: '', QUERY_PORT: '', API_KEY: '' });
  expect(stderr).not.toContain('gives');
});

it.each(['status', 'dead-letters list', 'keys list'])(
  'the address of an ingest API is named as one: %s',
  async (command) => {
    const { code, stderr } = await sluice(['--url', ingest.url, ...command.split(' ')]);
    expect(stderr).toMatch(/ is the Sluice ingest API, not a query API.*--url or QUERY_URL.*8081/);
    expect(code).toBe(2);
  },
);

it('the address of something else is named too', async () => {
  const { code, stderr } = await sluice(['--url', website.url, 'status']);
  expect(stderr).toMatch(/^What answers at .* is not a query API\./);
  expect(code).toBe(2);
});

it('a URL may have a path, below which the API is', async () => {
  for (const url of [`${prefixed.url}/sluice`, `${prefixed.url}/sluice/`])
    expect(await sluice(['--url', url, 'keys', 'list'])).toMatchObject({ code: 0, stdout: '(none)\n' });
});

it('a port that is reserved for another protocol is called so', async () => {
  const { code, stderr } = await sluice(['--url', 'http://127.0.0.1:1', 'status']);
  expect(stderr).toContain('cannot be reached (port 1 is reserved for another protocol)');
  expect(code).toBe(3);
});
