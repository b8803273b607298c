import { Redis } from 'ioredis';
import pg from 'pg';
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest';
import { keySetKey } from '@sluice/access/key-projection';
import { openDatabase } from '@sluice/store/database';
import { prepareDatabase } from '@sluice/store/prepare-database';
import { decodeEntry } from '@sluice/stream/stream-entry';
import { type Answer, get, post } from '@sluice/testkit/http';
import { makeEvent } from '@sluice/testkit/make-event';
import { type OwnServer, ownPostgres, ownRedis } from '@sluice/testkit/own-servers';
import { secretOf, testKey } from '@sluice/testkit/stored-keys';
import { startTestDaemon, type TestDaemon } from '@sluice/testkit/test-daemon';

/** Keys across all daemons, on a Redis and a Postgres that the tests stop, empty and fill. */
const NAMESPACE = 'keys';
const PATIENCE = { timeout: 180_000, interval: 30 };

let redisServer: OwnServer;
let postgres: OwnServer;
let redis: Redis;
let env: Record<string, string>;
let ingest: TestDaemon;
let query: TestDaemon;
let otherQuery: TestDaemon;
const secrets: string[] = [];
const daemons: TestDaemon[] = [];

async function start(name: 'ingest-api' | 'query-api', more: Record<string, string> = {}): Promise<TestDaemon> {
  const daemon = await startTestDaemon(name, { ...env, ...more });
  daemons.push(daemon);
  return daemon;
}

beforeAll(async () => {
  [redisServer, postgres] = await Promise.all([ownRedis(), ownPostgres()]);
  const opened = openDatabase({ url: postgres.url, poolSize: 1, statementTimeoutMs: 60_000, applicationName: 'test' });
  await prepareDatabase(opened);
  await opened.close();
  redis = new Redis(redisServer.url, { replyMapping: 'legacy', retryStrategy: () => 50 });
  redis.on('error', () => {});
  env = {
    REDIS_URL: redisServer.url,
    DATABASE_URL: postgres.url,
    SLUICE_NAMESPACE: NAMESPACE,
    API_KEY: 'the-key',
    KEY_REFRESH_MS: '100',
    LOG_LEVEL: 'trace',
  };
  [ingest, query, otherQuery] = await Promise.all([
    start('ingest-api'),
    start('query-api'),
    start('query-api', { DB_POOL_SIZE: '1' }),
  ]);
});
afterAll(async () => {
  redis.disconnect();
  await Promise.all(daemons.map((daemon) => daemon.stop()));
  await Promise.all([redisServer.remove(), postgres.remove()]);
});

async function create(wanted: object): Promise<{ id: string; key: string }> {
  const answer = await post(
    `${query.url}/api/keys`,
    { name: 'test', scopes: ['ingest', 'read'], ...wanted },
    { 'x-api-key': 'the-key' },
  );
  expect(answer.status, JSON.stringify(answer.body)).toBe(201);
  secrets.push(secretOf(answer.body.key));
  return answer.body as { id: string; key: string };
}
const revoke = (id: string) =>
  fetch(`${query.url}/api/keys/${id}`, { method: 'DELETE', headers: { 'x-api-key': 'the-key' } });
const send = (key: string, to = ingest): Promise<Answer> =>
  post(`${to.url}/api/events`, { events: [makeEvent()] }, key === '' ? {} : { 'x-api-key': key });
const letters = (key: string, of = otherQuery): Promise<Answer> =>
  get(`${of.url}/api/dead-letters`, { 'x-api-key': key });
const answers = (ask: () => Promise<Answer>, status: number): Promise<void> =>
  vi.waitFor(async () => expect((await ask()).status).toBe(status), PATIENCE);

it('a new key works everywhere, sends events of its tenant, and stops everywhere when it is revoked', async () => {
  const { id, key } = await create({ tenant: 'acme' });
  await Promise.all([answers(() => send(key), 202), answers(() => letters(key), 200)]);
  const [[, fields]] = (await redis.xrevrangeBuffer(`${NAMESPACE}:{events:0}`, '+', '-', 'COUNT', 1)) as [
    [Buffer, Buffer[]],
  ];
  expect(decodeEntry(fields).header.tenant).toBe('acme');
  await vi.waitFor(async () => {
    const { keys } = (await get(`${query.url}/api/keys`, { 'x-api-key': 'the-key' })).body;
    expect(keys.find((each: { id: string }) => each.id === id).last_used_at).not.toBeNull();
  }, PATIENCE);
  expect((await revoke(id)).status).toBe(200);
  await Promise.all([answers(() => send(key), 401), answers(() => letters(key), 401)]);
});

it('revoking a key also works on an instance whose connections are all busy', async () => {
  const { id, key } = await create({});
  await answers(() => letters(key), 200);
  const blocker = new pg.Client({ connectionString: postgres.url });
  await blocker.connect();
  onTestFinished(() => blocker.end());
  await blocker.query('BEGIN; LOCK TABLE dead_letters IN ACCESS EXCLUSIVE MODE');
  const stuck = [1, 2, 3].map(() => get(`${otherQuery.url}/api/dead-letters`, { 'x-api-key': 'the-key' }));
  await vi.waitFor(async () => {
    const { rows } = await blocker.query('SELECT FROM pg_locks WHERE NOT granted');
    expect(rows).toHaveLength(1);
  }, PATIENCE);
  await revoke(id);
  await answers(() => letters(key), 401);
  await blocker.query('ROLLBACK');
  expect((await Promise.all(stuck)).map(({ status }) => status)).toEqual([200, 200, 200]);
});

it('a key without the scope ingest cannot send events', async () => {
  const { key } = await create({ scopes: ['read', 'operate', 'admin'] });
  await vi.waitFor(async () => expect((await send(key)).body.error.code).toBe('forbidden'), PATIENCE);
});

it('a key stops at ingest when it expires', async () => {
  const { key } = await create({ expires_at: new Date(Date.now() + 1_500).toISOString() });
  await answers(() => send(key), 202);
  await vi.waitFor(async () => expect((await send(key)).body.error.code).toBe('unauthorized'), PATIENCE);
});

it('a FLUSHALL neither opens nor closes ingest, and the keys come back into Redis', async () => {
  const { key } = await create({});
  await answers(() => send(key), 202);
  const stranger = testKey().key;
  await redis.flushall();
  await vi.waitFor(async () => {
    expect((await send(key)).status).toBe(202);
    expect((await send(stranger)).status).toBe(401);
    expect((await send('')).status).toBe(401);
    expect(await redis.exists(keySetKey(NAMESPACE))).toBe(1);
  }, PATIENCE);
});

it('a set that cannot be read changes nothing', async () => {
  const { key } = await create({});
  await answers(() => send(key), 202);
  for (const text of ['', '{', '{"v":2,"keys":[]}', '{"v":1}']) {
    await redis.set(keySetKey(NAMESPACE), text);
    expect((await send(key)).status).toBe(202);
  }
  await vi.waitFor(async () => expect(await redis.get(keySetKey(NAMESPACE))).toContain('"keys":[{'), PATIENCE);
  expect((await send(key)).status).toBe(202);
});

it('an outage of Postgres neither opens nor closes anything, even with a FLUSHALL; a new ingest answers 503', async () => {
  const { key } = await create({});
  await Promise.all([answers(() => send(key), 202), answers(() => letters(key), 200)]);
  await postgres.stop('immediate');
  await redis.flushall();
  const fresh = await start('ingest-api');
  await vi.waitFor(
    () => expect(otherQuery.log().some(({ msg }) => /API keys not refreshed/.test(String(msg)))).toBe(true),
    PATIENCE,
  );
  const queue = await get(`${otherQuery.url}/api/queue`, { 'x-api-key': key });
  expect([await send(key), queue].map(({ status }) => status)).toEqual([202, 200]);
  expect((await send(testKey().key)).status).toBe(401);
  expect((await send('')).status).toBe(401);
  // It has never read the keys, so it can neither accept nor refuse one.
  const unknown = await send(key, fresh);
  expect([unknown.status, unknown.body.error.code]).toEqual([503, 'keys_unavailable']);
  expect(unknown.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
  expect((await send('the-key', fresh)).status).toBe(202);
  expect((await send('', fresh)).status).toBe(401);
  await postgres.start();
  await answers(() => send(key, fresh), 202);
});

it('an ingest that starts without Redis reads the keys by itself when Redis is there', async () => {
  const { key } = await create({});
  await answers(() => send(key), 202);
  await redisServer.stop();
  const fresh = await start('ingest-api');
  expect((await send(key, fresh)).body.error.code).toBe('keys_unavailable');
  expect((await send('the-key', fresh)).body.error.code).toBe('queue_unavailable');
  expect((await send('', fresh)).status).toBe(401);
  // The instance that has read the keys still knows them, and names what is really away.
  expect((await send(key)).body.error.code).toBe('queue_unavailable');
  await redisServer.start();
  await Promise.all([answers(() => send(key, fresh), 202), answers(() => send(key), 202)]);
});

it('revoking a key also works while Redis has no memory left', async () => {
  const { id, key } = await create({});
  await answers(() => send(key), 202);
  await redis.config('SET', 'maxmemory', '1');
  await expect(redis.set('anything', 'x')).rejects.toThrow(/OOM/);
  expect((await revoke(id)).status).toBe(200);
  await answers(() => send(key), 401);
  await redis.config('SET', 'maxmemory', '0');
  await answers(() => send('the-key'), 202);
});

it('an empty set opens nothing: with REQUIRE_KEYS and no key at all every request is refused', async () => {
  const { keys } = (await get(`${query.url}/api/keys?limit=1000`, { 'x-api-key': 'the-key' })).body;
  for (const { id } of keys as { id: string }[]) await revoke(id);
  const { API_KEY: _none, ...withoutKey } = env;
  const shut = await startTestDaemon('ingest-api', { ...withoutKey, REQUIRE_KEYS: 'true' });
  daemons.push(shut);
  expect(shut.output()).not.toContain('OPEN');
  await answers(() => send(testKey().key, shut), 401);
  expect((await send('', shut)).status).toBe(401);
  const { key } = await create({});
  await answers(() => send(key, shut), 202);
});

it('no key is in any log', () => {
  expect(secrets.length).toBeGreaterThan(5);
  for (const daemon of daemons) {
    for (const secret of secrets) expect(daemon.output()).not.toContain(secret);
  }
});
