import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { encodeKeySet, keySetKey, keyUsesKey } from '@sluice/access/key-projection';
import { expectError } from '@sluice/testkit/expect-error';
import { type Answer, get } from '@sluice/testkit/http';
import { startIngest, type TestIngest } from '@sluice/testkit/ingest';
import { makeEvent, makeEvents } from '@sluice/testkit/make-event';
import { secretOf, testKey, type TestKey } from '@sluice/testkit/stored-keys';

/** Ingest alone. The test writes the set of keys to Redis, as a query API does. */
const PATIENCE = { timeout: 180_000, interval: 20 };

const acme = testKey({ tenant: 'acme' });
const everybody = testKey();
const reader = testKey({ scopes: ['read', 'operate', 'admin'] });
const slow = testKey({ scopes: ['ingest'], eventsPerSecond: 2 });

let ingest: TestIngest;
beforeAll(async () => {
  const digest = createHash('sha256').update('env-key').digest('hex');
  ingest = await startIngest({
    API_KEY: 'the-key',
    API_KEYS: `tight:${digest}`,
    COLLECT_SITES: 'docs',
    INGEST_RATE_LIMIT: '100',
    KEY_REFRESH_MS: '50',
  });
  await put(acme, everybody, reader, slow);
  await vi.waitFor(async () => expect((await send(acme.key)).status).toBe(202), PATIENCE);
});
afterAll(() => ingest.stop());
beforeEach(() => ingest.clear());

const put = (...keys: TestKey[]) =>
  ingest.redis.set(keySetKey(ingest.namespace), encodeKeySet(keys.map(({ stored }) => stored)));
const send = (key: string, events = 1): Promise<Answer> =>
  ingest.send({ events: makeEvents(events) }, { 'x-api-key': key });
const tenants = async () => (await ingest.entries()).map(({ header }) => header.tenant);

describe('a stored key', () => {
  it('decides the tenant; one of all tenants is for "default"', async () => {
    expect((await send(acme.key)).status).toBe(202);
    expect((await ingest.send({ events: [makeEvent()] }, { authorization: `Bearer ${acme.key}` })).status).toBe(202);
    expect((await send(everybody.key)).status).toBe(202);
    expect(await tenants()).toEqual(['acme', 'acme', 'default']);
    expectError(
      await ingest.send({ tenant: 'rival', events: [makeEvent()] }, { 'x-api-key': acme.key }),
      'tenant_mismatch',
    );
    expectError(await ingest.collect({ siteId: 'docs' }, { 'x-api-key': acme.key }), 'tenant_mismatch');
  });

  it('without the scope ingest is refused everywhere, also for a site that needs no key', async () => {
    expectError(await send(reader.key), 'forbidden', /"ingest"/);
    expectError(await ingest.collect({ siteId: 'docs' }, { 'x-api-key': reader.key }), 'forbidden');
    expect((await get(`${ingest.url}/pixel.gif?siteId=docs`, { 'x-api-key': reader.key })).status).toBe(403);
    expect((await ingest.collect({ siteId: 'docs' })).status).toBe(202);
    expect(await tenants()).toEqual(['docs']);
  });

  it('is unknown when one of its characters differs', async () => {
    const { key } = acme;
    for (const at of [5, 25, key.length - 1]) {
      const changed = key.slice(0, at) + (key[at] === '0' ? '1' : '0') + key.slice(at + 1);
      expectError(await send(changed), 'unauthorized');
    }
  });

  it('expires by the clock of ingest, without a notification', async () => {
    const brief = testKey({ expiresAt: Date.now() + 1_000 });
    await put(acme, everybody, reader, slow, brief);
    await vi.waitFor(async () => expect((await send(brief.key)).status).toBe(202), PATIENCE);
    await vi.waitFor(async () => expect((await send(brief.key)).status).toBe(401), PATIENCE);
    expect(await ingest.redis.get(keySetKey(ingest.namespace))).toContain(brief.stored.id);
  });

  it('has its use recorded, without the key', async () => {
    await send(acme.key);
    await vi.waitFor(async () => {
      const uses = await ingest.redis.hgetall(keyUsesKey(ingest.namespace));
      expect(Math.abs(Date.now() - Number(uses[acme.stored.id]))).toBeLessThan(60_000);
      expect(JSON.stringify(uses)).not.toContain(secretOf(acme.key));
    }, PATIENCE);
  });
});

describe('a quota', () => {
  it('of the key itself: a batch is accepted whole, and the next has to wait for it', async () => {
    expect((await send(slow.key, 10)).status).toBe(202);
    const refused = await send(slow.key);
    expectError(refused, 'quota_exceeded', /2 events\/s/);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(4);
    const pixel = await get(`${ingest.url}/pixel.gif?siteId=default`, { 'x-api-key': slow.key });
    expect([pixel.status, pixel.headers.get('x-sluice-error')]).toEqual([429, 'quota_exceeded']);
    expect((await send(acme.key)).status).toBe(202);
  });

  it('of INGEST_RATE_LIMIT for every other key, counted for each by itself; sites without a key have none', async () => {
    // Accepted whole. The part above the limit takes nine seconds to pay off.
    expect((await send('env-key', 1_000)).status).toBe(202);
    expectError(await send('env-key'), 'quota_exceeded', /100 events\/s/);
    expect((await send('the-key')).status).toBe(202);
    expect((await ingest.collect({ siteId: 'docs' })).status).toBe(202);
  });
});
