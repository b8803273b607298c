import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { encodeKeySet, keySetKey } from '@sluice/access/key-projection';
import { expectError } from '@sluice/testkit/expect-error';
import { type Answer, get } from '@sluice/testkit/http';
import { startIngest, type TestIngest } from '@sluice/testkit/ingest';
import { makeEvent } from '@sluice/testkit/make-event';
import { testKey } from '@sluice/testkit/stored-keys';

const STRONG = 'a-key-of-more-than-24-characters';
const hashOf = (key: string): string => createHash('sha256').update(key).digest('hex');

let ingest: TestIngest;
beforeAll(async () => {
  ingest = await startIngest({
    API_KEY: STRONG,
    API_KEYS: `acme:${hashOf('short')}`,
    COLLECT_SITES: 'docs',
    KEY_REFRESH_MS: '50',
    TRUST_PROXY: 'loopback',
  });
});
afterAll(() => ingest.stop());
beforeEach(() => ingest.clear());

/** A new address for each test, in 198.51.100.0/24. */
let next = 1;
const newAddress = (): string => `198.51.100.${next++}`;

const from = (address: string, key?: string) => ({
  'x-forwarded-for': address,
  ...(key === undefined ? {} : { 'x-api-key': key }),
});
const send = (address: string, key?: string): Promise<Answer> =>
  ingest.send({ events: [makeEvent()] }, from(address, key));

/** Sends wrong keys until the address has to wait. */
async function guess(address: string, times = 30): Promise<void> {
  for (let at = 0; at < times; at += 1) expectError(await send(address, `guess-${at}`), 'unauthorized');
}

describe('after thirty wrong keys from an address', () => {
  it('the next ones are answered with 429 and when to come back, before the body is read', async () => {
    const address = newAddress();
    await guess(address);
    const refused = await ingest.send('{', from(address, 'guess'));
    expectError(refused, 'rate_limited', /wrong keys/);
    expect(refused.headers.get('retry-after')).toMatch(/^[1-9]\d?$/);
    expectError(await ingest.collect({ siteId: 'docs' }, from(address, 'guess')), 'rate_limited');
    const pixel = await get(`${ingest.url}/pixel.gif?siteId=docs`, from(address, 'guess'));
    expect([pixel.status, pixel.headers.get('x-sluice-error')]).toEqual([429, 'rate_limited']);
  });

  it('a key that cannot be guessed is accepted', async () => {
    const address = newAddress();
    await guess(address);
    expect((await send(address, STRONG)).status).toBe(202);
    expectError(await send(address, 'guess'), 'rate_limited');
    expect((await send(address, STRONG)).status).toBe(202);
  });

  it('a short key is accepted where it was used before, and nowhere else', async () => {
    const [known, unknown] = [newAddress(), newAddress()];
    expect((await send(known, 'short')).status).toBe(202);
    await guess(known);
    await guess(unknown);
    expect((await send(known, 'short')).status).toBe(202);
    // Or the thirty-first guess could be the right one.
    expectError(await send(unknown, 'short'), 'rate_limited');
  });

  it('other addresses, and requests without a key, are not concerned', async () => {
    const address = newAddress();
    await guess(address);
    expectError(await send(newAddress(), 'guess'), 'unauthorized');
    expectError(await send(address), 'unauthorized');
    expect((await ingest.collect({ siteId: 'docs' }, from(address))).status).toBe(202);
  });

  it('a port after the address, or another address of the same IPv6 network, does not help', async () => {
    const address = newAddress();
    for (let at = 0; at < 30; at += 1) await send(`${address}:${40_000 + at}`, `guess-${at}`);
    expectError(await send(`${address}:50000`, 'guess'), 'rate_limited');
    for (let at = 0; at < 30; at += 1) await send(`2001:db8:7:7::${at + 1}`, `guess-${at}`);
    expectError(await send('2001:db8:7:7:ffff::1', 'guess'), 'rate_limited');
    expectError(await send('2001:db8:7:8::1', 'guess'), 'unauthorized');
  });
});

it('a stored key is accepted from an address that has to wait', async () => {
  const { stored, key } = testKey({ scopes: ['ingest'] });
  await ingest.redis.set(keySetKey(ingest.namespace), encodeKeySet([stored]));
  const address = newAddress();
  await guess(address);
  await expect.poll(async () => (await send(address, key)).status, { timeout: 180_000, interval: 50 }).toBe(202);
});

it('API_KEY that can be guessed is warned of', async () => {
  const weak = await startIngest({ API_KEY: 'x'.repeat(23) });
  await weak.logged(/API_KEY is short enough to be guessed/);
  await weak.stop();
  expect(ingest.daemon.output()).not.toContain('short enough');
});
