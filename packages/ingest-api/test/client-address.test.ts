import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { get } from '@sluice/testkit/http';
import { startIngest, type TestIngest } from '@sluice/testkit/ingest';
import { makeEvent } from '@sluice/testkit/make-event';
import { startTestDaemon } from '@sluice/testkit/test-daemon';

const CLIENT = '203.0.113.9';

async function addressOf(ingest: TestIngest, forwarded: string): Promise<string | null | undefined> {
  await ingest.clear();
  expect((await ingest.send({ events: [makeEvent()] }, { 'x-forwarded-for': forwarded })).status).toBe(202);
  return (await ingest.entries())[0]?.header.clientIp;
}

describe('without trusted proxies', () => {
  let ingest: TestIngest;
  beforeAll(async () => {
    ingest = await startIngest();
  });
  afterAll(() => ingest.stop());

  it('X-Forwarded-For is ignored', async () => {
    expect(await addressOf(ingest, CLIENT)).toBe('127.0.0.1');
  });
});

describe('with trusted proxies', () => {
  let ingest: TestIngest;
  beforeAll(async () => {
    ingest = await startIngest({ TRUST_PROXY: 'loopback,10.0.0.0/8,2001:db8::/32' });
  });
  afterAll(() => ingest.stop());
  beforeEach(() => ingest.clear());

  it.each([
    ['the address that the proxy names', CLIENT, CLIENT],
    ['the last one that is not a proxy', `198.51.100.1, ${CLIENT}, 10.1.2.3`, CLIENT],
    ['not an address that the client put first', `10.9.9.9, ${CLIENT}`, CLIENT],
    ['an IPv6 address', '2001:470::7', '2001:470::7'],
    ['an address without its port', `${CLIENT}:4711`, CLIENT],
    ['an IPv6 address without its port', '[2001:470::7]:4711', '2001:470::7'],
    ['an IPv4 address written as IPv6', `::ffff:${CLIENT}`, CLIENT],
    ['an address without its zone', 'fe80::1%eth0', 'fe80::1'],
    ['the proxy when it names no address', 'unknown', '127.0.0.1'],
    ['the proxy when it names what could break the row', "1.2.3.4'; DROP TABLE events", '127.0.0.1'],
    ['the proxy when it names no address after others', `${CLIENT}, _hidden`, '127.0.0.1'],
  ])('the client is %s', async (_what, forwarded, address) => {
    expect(await addressOf(ingest, forwarded)).toBe(address);
  });

  it('/collect and the pixel use it too', async () => {
    const headers = { 'x-forwarded-for': CLIENT };
    await ingest.collect({}, headers);
    await get(`${ingest.url}/collect`, headers);
    await get(`${ingest.url}/pixel.gif`, headers);
    expect((await ingest.entries()).map(({ header }) => header.clientIp)).toEqual([CLIENT, CLIENT, CLIENT]);
  });
});

it('X-Forwarded-For of a peer that is no trusted proxy is ignored', async () => {
  const ingest = await startIngest({ TRUST_PROXY: '10.0.0.0/8' });
  expect(await addressOf(ingest, CLIENT)).toBe('127.0.0.1');
  await ingest.stop();
});

it.each(['everybody', '10.0.0.0/33', '999.1.1.1', '10.0.0.0/8,,loopback', '::1/129'])(
  '%s in TRUST_PROXY is a mistake that is named',
  async (value) => {
    const start = startTestDaemon('ingest-api', { REDIS_URL: inject('redisUrl'), TRUST_PROXY: value });
    await expect(start).rejects.toThrow(/TRUST_PROXY must be a list of addresses or networks/);
  },
);
