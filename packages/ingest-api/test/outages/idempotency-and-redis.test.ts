import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { asRedisUser } from '@sluice/testkit/as-redis-user';
import { expectError } from '@sluice/testkit/expect-error';
import { startIngest, type TestIngest } from '@sluice/testkit/ingest';
import { type OwnServer, ownRedis } from '@sluice/testkit/own-servers';

let server: OwnServer;
let admin: Redis;
let ingest: TestIngest;

beforeAll(async () => {
  server = await ownRedis();
  admin = new Redis(server.url, { replyMapping: 'legacy', retryStrategy: () => 50 });
  admin.on('error', () => {});
});
afterAll(async () => {
  admin.disconnect();
  await server.remove();
});
afterEach(() => ingest.stop());

const send = (v: number, key: string) =>
  ingest.send({ events: [{ eventType: 'T', timestamp: '2026-11-21T09:30:00Z', v }] }, { 'idempotency-key': key });
const fingerprints = () => admin.keys(`${ingest.namespace}:idempotency:*`);

it('a batch that was claimed and not enqueued is accepted when it is sent again', async () => {
  ingest = await startIngest({}, { redisUrl: server.url });
  // XADD fails, SET does not.
  await admin.set(ingest.stream, 'no stream');
  expectError(await send(1, 'k-1'), 'queue_unavailable');
  expect(await fingerprints()).toHaveLength(1);
  await admin.del(ingest.stream);
  expect((await send(1, 'k-1')).status).toBe(202);
  expectError(await send(2, 'k-1'), 'idempotency_key_reused');
});

it('without Redis it is 503, and a resend is accepted when Redis is back', async () => {
  ingest = await startIngest({}, { redisUrl: server.url });
  await server.stop();
  expectError(await send(1, 'k-2'), 'queue_unavailable');
  await server.start();
  await vi.waitFor(async () => expect((await send(1, 'k-2')).status).toBe(202), { interval: 50, timeout: 180_000 });
  expectError(await send(2, 'k-2'), 'idempotency_key_reused');
});

it('a Redis that forgot its keys does not make another body a resend', async () => {
  ingest = await startIngest({}, { redisUrl: server.url });
  const first = await send(1, 'k-3');
  await admin.del(...(await fingerprints()));
  const second = await send(2, 'k-3');
  expect(second.status).toBe(202);
  expect(second.body.batch_id).not.toBe(first.body.batch_id);
});

it('a user without the right to SET enqueues all the same, and the log says so once', async () => {
  await admin.call('ACL', 'SETUSER', 'limited', 'reset', 'on', '>pass', '~*', '&*', '+@all', '-set');
  ingest = await startIngest({}, { redisUrl: asRedisUser(server.url, 'limited', 'pass') });
  expect((await send(1, 'k-4')).status).toBe(202);
  expect((await send(2, 'k-4')).status).toBe(202);
  await ingest.logged(/Idempotency-Key not remembered/);
  expect(ingest.daemon.output().match(/Idempotency-Key not remembered/g)).toHaveLength(1);
});

it('a Redis that is half full gets no more fingerprints, and those it has still count', async () => {
  ingest = await startIngest({}, { redisUrl: server.url });
  expect((await send(1, 'k-5')).status).toBe(202);
  const before = await fingerprints();
  const used = Number(/used_memory:(\d+)/.exec(await admin.info('memory'))?.[1]);
  await admin.config('SET', 'maxmemory', Math.ceil(used * 1.5));
  await vi.waitFor(
    async () => {
      expect((await send(1, crypto.randomUUID())).status).toBe(202);
      const count = (await fingerprints()).length;
      expect((await send(1, crypto.randomUUID())).status).toBe(202);
      expect((await fingerprints()).length).toBe(count);
    },
    { interval: 50, timeout: 180_000 },
  );
  expect(before.length).toBe(1);
  expectError(await send(2, 'k-5'), 'idempotency_key_reused');
  await admin.config('SET', 'maxmemory', 0);
});

it('IDEMPOTENCY_HOURS=0 remembers nothing', async () => {
  ingest = await startIngest({ IDEMPOTENCY_HOURS: '0' }, { redisUrl: server.url });
  expect((await send(1, 'k-6')).status).toBe(202);
  expect((await send(2, 'k-6')).status).toBe(202);
  expect(await fingerprints()).toEqual([]);
});
