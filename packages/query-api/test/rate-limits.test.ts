import { afterAll, beforeAll, expect, it } from 'vitest';
import { expectError } from '@sluice/testkit/expect-error';
import { get } from '@sluice/testkit/http';
import { operatorKey, type Operations, startOperations } from '@sluice/testkit/operations';
import { startTestDaemon, type TestDaemon } from '@sluice/testkit/test-daemon';

const STRONG = 'a-key-of-more-than-24-characters';

let operations: Operations;
let open: TestDaemon;
beforeAll(async () => {
  operations = await startOperations(
    {
      API_KEY: 'the-key',
      OPERATOR_KEYS: [
        operatorKey('ada', 'a'),
        operatorKey('bob', 'b'),
        operatorKey('carl', 'c'),
        operatorKey('eve', STRONG),
      ].join(','),
      RATE_LIMIT_PER_MINUTE: '3',
      TRUST_PROXY: 'loopback',
    },
    { ingest: false },
  );
  open = await startTestDaemon('query-api', {
    DATABASE_URL: operations.pipeline.database.url,
    RATE_LIMIT_PER_MINUTE: '2',
    TRUST_PROXY: 'loopback',
  });
});
afterAll(() => Promise.all([operations.stop(), open.stop()]));

const queue = (key: string, from = '192.0.2.1') =>
  get(`${operations.query.url}/api/dead-letters`, { 'x-api-key': key, 'x-forwarded-for': from });

const askOpen = (from: string) => get(`${open.url}/api/dead-letters`, { 'x-forwarded-for': from });

it('every answer says what is left; beyond the limit it is 429 with when to come back, for this key alone', async () => {
  for (const left of ['2', '1', '0']) {
    const answer = await queue('a');
    expect(answer.status).toBe(200);
    expect(answer.headers.get('ratelimit-limit')).toBe('3');
    expect(answer.headers.get('ratelimit-remaining')).toBe(left);
    expect(Number(answer.headers.get('ratelimit-reset'))).toBeGreaterThan(0);
  }
  // Another address does not help: it is the key that is counted.
  const refused = await queue('a', '192.0.2.99');
  expectError(refused, 'rate_limited', /More than 3 requests/);
  expect(refused.headers.get('retry-after')).toMatch(/^[1-9]\d?$/);
  expect(refused.headers.get('ratelimit-remaining')).toBe('0');
  expect((await queue('b')).headers.get('ratelimit-remaining')).toBe('2');
});

it('health is not limited, and says nothing of limits', async () => {
  for (let times = 0; times < 5; times += 1) {
    const { status, headers } = await get(`${operations.query.url}/live`);
    expect([status, headers.get('ratelimit-limit')]).toEqual([200, null]);
  }
});

it('a key may have a limit of its own, or none', async () => {
  const [five, none] = [await keyWithLimit(5), await keyWithLimit(0)];
  const answer = await queue(five);
  expect([answer.headers.get('ratelimit-limit'), answer.headers.get('ratelimit-remaining')]).toEqual(['5', '4']);
  for (let times = 0; times < 8; times += 1) expect((await queue(none)).status).toBe(200);
  expect((await queue(none)).headers.get('ratelimit-limit')).toBeNull();
});

async function keyWithLimit(requests: number): Promise<string> {
  const wanted = { name: 'own', scopes: ['read'], requests_per_minute: requests };
  return (await operations.ask('POST', '/api/keys', wanted, 'the-key')).body.key;
}
const guess = (from: string, at: number) => queue(`guess-${at}`, from);

it('an address that sends wrong keys is not believed for a while, but a key that Sluice made is', async () => {
  const key = await keyWithLimit(0);
  for (let at = 0; at < 30; at += 1) expectError(await guess('198.51.100.7', at), 'unauthorized');
  const refused = await guess('198.51.100.7', 30);
  expectError(refused, 'rate_limited', /wrong keys/);
  expect(refused.headers.get('retry-after')).toMatch(/^[1-9]\d?$/);
  // Or the thirty-first guess could be the right one.
  expectError(await queue('the-key', '198.51.100.7'), 'rate_limited');
  expect((await queue(key, '198.51.100.7')).status).toBe(200);
  expectError(await guess('198.51.100.8', 0), 'unauthorized');
});

it('a strong key, and a short one that the address used before, are accepted among wrong ones', async () => {
  expect((await queue('c', '198.51.100.9')).status).toBe(200);
  for (let at = 0; at < 30; at += 1) expectError(await guess('198.51.100.9', at), 'unauthorized');
  expectError(await guess('198.51.100.9', 30), 'rate_limited');
  expect((await queue('c', '198.51.100.9')).status).toBe(200);
  expect((await queue(STRONG, '198.51.100.9')).status).toBe(200);
});

it('an IPv6 client is its network', async () => {
  for (let at = 0; at < 30; at += 1) await queue(`guess-${at}`, `2001:db8:7:7::${at + 1}`);
  expectError(await queue('guess', '2001:db8:7:7:ffff::1'), 'rate_limited');
  expectError(await queue('guess', '2001:db8:7:8::1'), 'unauthorized');
});

it('an open instance counts addresses', async () => {
  expect((await askOpen('192.0.2.1')).status).toBe(200);
  expect((await askOpen('192.0.2.1')).status).toBe(200);
  expectError(await askOpen('192.0.2.1'), 'rate_limited');
  expect((await askOpen('192.0.2.2')).status).toBe(200);
});
