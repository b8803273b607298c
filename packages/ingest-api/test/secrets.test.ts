import { createHash } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { asRedisUser } from '@sluice/testkit/as-redis-user';
import { get } from '@sluice/testkit/http';
import { startIngest } from '@sluice/testkit/ingest';
import { makeEvent } from '@sluice/testkit/make-event';
import { type OwnServer, ownRedis } from '@sluice/testkit/own-servers';
import { sendRaw } from '@sluice/testkit/raw-http';
import { startTestDaemon } from '@sluice/testkit/test-daemon';

const PASSWORD = 'redis-pass-7f3a';
const KEY = 'right-key-91c2';
const WRONG_KEY = 'wrong-key-55d0';
const TENANT_HASH = createHash('sha256').update('tenant-key').digest('hex');

let server: OwnServer;
let redisUrl: string;

beforeAll(async () => {
  server = await ownRedis({ requirepass: PASSWORD });
  redisUrl = server.url;
});
afterAll(() => server.remove());

it('no key and no password gets into the log or an answer, at any level, whatever goes wrong', async () => {
  const ingest = await startIngest({ LOG_LEVEL: 'trace', API_KEY: KEY, API_KEYS: `acme:${TENANT_HASH}` }, { redisUrl });
  const answers = [
    await ingest.send({ events: [makeEvent()] }, { 'x-api-key': KEY }),
    await ingest.send({ events: [makeEvent()] }, { 'x-api-key': WRONG_KEY }),
    await ingest.send('{', { authorization: `Bearer ${KEY}` }),
    await ingest.collect({}, { authorization: `Bearer ${WRONG_KEY}` }),
    await get(`${ingest.url}/nothing`, { 'x-api-key': KEY }),
    await get(`${ingest.url}/health`, { 'x-api-key': KEY }),
    await get(`${ingest.url}/docs/json`),
    await sendRaw(ingest.url, `GET /live HTTP/1.1\r\nX-API-Key: ${KEY}\r\nbroken\r\n\r\n`),
  ];
  await ingest.redis.config('SET', 'requirepass', 'changed');
  await ingest.redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  await ingest.logged(/WRONGPASS|Redis cannot be reached/);
  answers.push(await ingest.send({ events: [makeEvent()] }, { 'x-api-key': KEY }));
  await ingest.redis.config('SET', 'requirepass', PASSWORD);
  await ingest.stop();

  expect(answers.map(({ status }) => status)).toEqual([202, 401, 400, 401, 404, 200, 200, 400, 503]);
  const said = ingest.daemon.output() + answers.map(({ body }) => JSON.stringify(body)).join('\n');
  expect(said).toContain('"listening"');
  for (const secret of [PASSWORD, KEY, WRONG_KEY, TENANT_HASH]) expect(said).not.toContain(secret);
});

it.each([
  ['REDIS_URL', `redis://:${PASSWORD}@localhost:99999`],
  ['REDIS_URL', `redis://:${PASSWORD}/x@localhost`],
  ['REDIS_URL', `http://:${PASSWORD}@localhost`],
  ['API_KEY', `${KEY} ${KEY}`],
  ['API_KEYS', `acme:${KEY}`],
])('%s with a mistake in it is named, and not shown', async (name, value) => {
  const start = startTestDaemon('ingest-api', { REDIS_URL: server.url, [name]: value });
  const error = await start.then(
    () => null,
    (reason: Error) => reason,
  );
  expect(error?.constructor.name).toBe('DaemonConfigError');
  expect(error?.message).toContain(`- ${name} must be`);
  expect(error?.message).not.toMatch(new RegExp(`${PASSWORD}|${KEY}`));
});

it('the test’s Redis does ask for its password', async () => {
  const stranger = new Redis(asRedisUser(server.url), { lazyConnect: true, retryStrategy: () => null });
  stranger.on('error', () => {});
  await expect(stranger.set('a', 'b')).rejects.toThrow(/NOAUTH/);
  stranger.disconnect();
});
