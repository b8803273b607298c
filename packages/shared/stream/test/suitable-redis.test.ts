import { Redis } from 'ioredis';
import { pino } from 'pino';
import { expect, it, onTestFinished, vi } from 'vitest';
import { ownRedis } from '@sluice/testkit/own-servers';
import { connectRedis } from '../src/connect-redis.ts';
import { redisCheck } from '../src/redis-check.ts';

const PATIENCE = { timeout: 180_000, interval: 20 };

/** A server with these settings, and a connection to one of its databases, which logs to `lines`. */
async function connected(settings: Record<string, string>, database: string) {
  const server = await ownRedis(settings);
  const lines: { msg: string; error?: string; code?: string }[] = [];
  const logger = pino(
    { base: null },
    { write: (line: string) => void lines.push(JSON.parse(line) as (typeof lines)[0]) },
  );
  const redis = connectRedis(`${server.url}/${database}`, { name: 'test', logger, commandTimeoutMs: 5_000 });
  const wasReady = vi.fn<() => void>();
  redis.on('ready', wasReady);
  onTestFinished(async () => {
    redis.disconnect();
    await server.remove();
  });
  return { server, lines, redis, wasReady };
}

it.each([
  {
    what: 'a database number that the server does not have',
    settings: {} as Record<string, string>,
    database: '99',
    code: 'DATABASE',
    says: /DB index is out of range/,
  },
  {
    what: 'a node of a cluster',
    settings: { 'cluster-enabled': 'yes' },
    database: '',
    code: 'CLUSTER',
    says: /cluster mode/,
  },
  {
    what: 'a database number of a cluster',
    settings: { 'cluster-enabled': 'yes' },
    database: '3',
    code: /DATABASE|CLUSTER/,
    says: /cluster mode/,
  },
])('$what is not connected, and the log and the check say why', async ({ settings, database, code, says }) => {
  const { lines, redis, wasReady, server } = await connected(settings, database);
  const check = redisCheck(redis);
  await vi.waitFor(async () => {
    const { ok, detail } = await check.run();
    expect(ok).toBe(false);
    expect(detail).toMatchObject({
      code: typeof code === 'string' ? code : (expect.stringMatching(code) as string),
      error: expect.stringMatching(says) as string,
    });
  }, PATIENCE);
  await expect(redis.set('key', 'value')).rejects.toThrow(/isn't writeable/);
  expect(wasReady).not.toHaveBeenCalled();
  expect(lines.map(({ msg }) => msg)).not.toContain('Redis cannot be reached');
  expect(lines[0]).toMatchObject({ msg: 'Redis refuses the connection', error: expect.stringMatching(says) as string });
  const admin = new Redis(server.url);
  onTestFinished(() => admin.disconnect());
  expect(await admin.dbsize()).toBe(0);
});

it('a database number that the server has is used', async () => {
  const { redis, server } = await connected({}, '3');
  await vi.waitFor(() => expect(redis.status).toBe('ready'), PATIENCE);
  await redis.set('key', 'value');
  const admin = new Redis(`${server.url}/3`);
  onTestFinished(() => admin.disconnect());
  expect(await admin.get('key')).toBe('value');
});

it('a process that is busy while it connects reports no outage', async () => {
  const { server, lines } = await connected({}, '');
  const busy = connectRedis(server.url, {
    name: 'busy',
    logger: pino({ base: null }, { write: (line: string) => void lines.push(JSON.parse(line) as (typeof lines)[0]) }),
    commandTimeoutMs: 1_000,
  });
  onTestFinished(() => busy.disconnect());
  busy.once('connect', () => {
    const until = performance.now() + 1_500;
    while (performance.now() < until);
  });
  await vi.waitFor(() => expect(busy.status).toBe('ready'), PATIENCE);
  expect(lines).toEqual([]);
  // The limit of commands holds from then on.
  expect(busy.options.commandTimeout).toBe(1_000);
});
