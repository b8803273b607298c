import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import { asRedisUser } from '@sluice/testkit/as-redis-user';
import { get } from '@sluice/testkit/http';
import { startIngest, type TestIngest } from '@sluice/testkit/ingest';
import { makeEvent } from '@sluice/testkit/make-event';
import { type OwnServer, ownRedis } from '@sluice/testkit/own-servers';
import { startProxy } from './fixtures/holding-proxy.ts';

/** Long enough that ingest does not warn of it. */
const KEY = 'a-key-of-more-than-24-characters';

/** Settings of Redis in `start` and in the tests. Each test changes some of them. */
const DURABLE = {
  appendonly: 'yes',
  appendfsync: 'always',
  'no-appendfsync-on-rewrite': 'no',
  'maxmemory-policy': 'noeviction',
};

let server: OwnServer;
let admin: Redis;
/** Redis 7.2 and newer can wait for the disk, so slower settings do no harm there. */
let hasWaitAof: boolean;

beforeAll(async () => {
  server = await ownRedis();
  admin = new Redis(server.url);
  const version = /redis_version:(\d+)\.(\d+)/.exec(await admin.info('server'))!;
  hasWaitAof = Number(version[1]) > 7 || (Number(version[1]) === 7 && Number(version[2]) >= 2);
});
afterAll(async () => {
  admin.disconnect();
  await server.remove();
});
beforeEach(() => configure(DURABLE));

async function configure(settings: Record<string, string>): Promise<void> {
  for (const [name, value] of Object.entries(settings)) await admin.config('SET', name, value);
}

async function start(env: Record<string, string> = {}, redisUrl = server.url): Promise<TestIngest> {
  const ingest = await startIngest({ API_KEY: KEY, ...env }, { redisUrl });
  onTestFinished(() => ingest.stop());
  return ingest;
}

async function durabilityOf(ingest: TestIngest): Promise<string> {
  const { status, body } = await ingest.send({ events: [makeEvent()] }, { 'x-api-key': KEY });
  expect(status).toBe(202);
  expect((await ingest.collect({}, { 'x-api-key': KEY })).body.durability).toBe(body.durability);
  return body.durability;
}

it('appendfsync always is "fsync", from the first batch on, without a warning', async () => {
  const ingest = await start();
  expect(await durabilityOf(ingest)).toBe('fsync');
  await ingest.logged(/durability determined/);
  expect(ingest.daemon.log().filter((line) => Number(line['level']) >= 40)).toEqual([]);
});

it.each([
  [{ appendfsync: 'everysec' }, /appendfsync everysec/],
  [{ 'no-appendfsync-on-rewrite': 'yes' }, /no-appendfsync-on-rewrite yes/],
])('%j is "memory" where Redis cannot wait for its disk, and the log says why', async (settings, reason) => {
  await configure(settings);
  const ingest = await start();
  expect(await durabilityOf(ingest)).toBe(hasWaitAof ? 'fsync' : 'memory');
  if (!hasWaitAof) await expectWarned(ingest, reason);
});

it('appendonly no is "memory", and the log says why', async () => {
  await configure({ appendonly: 'no' });
  const ingest = await start();
  expect(await durabilityOf(ingest)).toBe('memory');
  await expectWarned(ingest, /appendonly no/);
});

it.each(['-config', '-config -info'])(
  'a user without rights (%s) is "memory", and the log says why',
  async (denied) => {
    await admin.call('ACL', 'SETUSER', 'limited', 'reset', 'on', '>pass', '~*', '&*', '+@all', ...denied.split(' '));
    const ingest = await start({}, asRedisUser(server.url, 'limited', 'pass'));
    expect(await durabilityOf(ingest)).toBe('memory');
    await expectWarned(ingest, /does not let this user read its settings/);
  },
);

it('DURABILITY=memory claims no more than was asked for, without a warning', async () => {
  const ingest = await start({ DURABILITY: 'memory' });
  expect(await durabilityOf(ingest)).toBe('memory');
  expect((await get(`${ingest.url}/health`)).body.checks.durability).toBe('ok');
});

it('DURABILITY=replicated without replicas is not claimed', async () => {
  const ingest = await start({ DURABILITY: 'replicated' });
  if (hasWaitAof) {
    expect((await ingest.send({ events: [makeEvent()] }, { 'x-api-key': KEY })).status).toBe(503);
  } else {
    expect(await durabilityOf(ingest)).toBe('fsync');
    await expectWarned(ingest, /older than 7\.2/);
  }
});

it('maxmemory-policy allkeys-lru is an error in the log and in /health', async () => {
  await configure({ 'maxmemory-policy': 'allkeys-lru' });
  const ingest = await start();
  expect(await ingest.logged(/Redis may evict unstored events/)).toMatchObject({ level: 50, policy: 'allkeys-lru' });
  const { body } = await get(`${ingest.url}/health`);
  expect(body).toMatchObject({ status: 'degraded', checks: { eviction: 'failed' } });
  expect(body.details.eviction).toEqual({ maxmemory_policy: 'allkeys-lru' });
});

it('the settings are read again at each reconnect', async () => {
  const ingest = await start();
  expect(await durabilityOf(ingest)).toBe('fsync');
  const reconnected = async (level: string): Promise<void> => {
    await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await vi.waitFor(async () => expect(await durabilityOf(ingest)).toBe(level), { interval: 20, timeout: 180_000 });
  };
  await configure({ appendonly: 'no' });
  await reconnected('memory');
  await configure({ appendonly: 'yes' });
  await reconnected('fsync');
});

it('settings that could not be read in time are read again', async () => {
  const proxy = await startProxy(server.url, /config/i);
  onTestFinished(() => proxy.close());
  const ingest = await start({ QUEUE_TIMEOUT_MS: '200' }, proxy.url);
  await ingest.logged(/Redis settings not read/);
  expect((await get(`${ingest.url}/health`)).body.checks.durability).toBe('failed');
  proxy.release();
  await vi.waitFor(
    async () => {
      const { body } = await ingest.send({ events: [makeEvent()] }, { 'x-api-key': KEY });
      expect(body.durability).toBe('fsync');
    },
    { interval: 50, timeout: 180_000 },
  );
});

async function expectWarned(ingest: TestIngest, reason: RegExp): Promise<void> {
  expect(await ingest.logged(/DURABILITY=\w+ is not reached/)).toMatchObject({
    level: 40,
    warning: expect.stringMatching(reason) as unknown,
  });
  const { body } = await get(`${ingest.url}/health`);
  expect(body).toMatchObject({ status: 'degraded', checks: { durability: 'failed' } });
  expect(body.details.durability.warning).toMatch(reason);
}
