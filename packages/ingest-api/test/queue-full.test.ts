import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { expect, inject, it, onTestFinished, vi } from 'vitest';
import { streamKey } from '@sluice/stream/stream-keys';
import { expectError } from '@sluice/testkit/expect-error';
import { get } from '@sluice/testkit/http';
import { startIngest, type TestIngest } from '@sluice/testkit/ingest';
import { makeEvent } from '@sluice/testkit/make-event';
import { ownRedis } from '@sluice/testkit/own-servers';
import { testNamespace } from '@sluice/testkit/test-namespace';

const MIB = 1024 * 1024;
const PATIENCE = { interval: 20, timeout: 180_000 };

/** Sends incompressible events until one is refused. Returns how many were accepted. */
async function fill(ingest: TestIngest): Promise<number> {
  for (let taken = 0; ; taken += 1) {
    const answer = await ingest.send({ events: [makeEvent({ newValue: randomBytes(75_000).toString('hex') })] });
    if (answer.status === 202) continue;
    expectError(answer, 'queue_full', /Try again in \d+ s\.$/);
    expect(answer.headers.get('retry-after')).toMatch(/^[1-9]\d{0,2}$/);
    return taken;
  }
}

async function takesAgain(ingest: TestIngest): Promise<void> {
  await vi.waitFor(async () => expect((await ingest.send({ events: [makeEvent()] })).status).toBe(202), PATIENCE);
}

it('above QUEUE_MAX_BYTES batches are refused with 429 and an integer Retry-After until the backlog is drained', async () => {
  const ingest = await startIngest({ QUEUE_MAX_BYTES: String(MIB) });
  onTestFinished(() => ingest.stop());
  const measured = async (): Promise<number> => (await get(`${ingest.url}/health`)).body.details.queue.bytes as number;
  let taken = await fill(ingest);
  expect(taken).toBeGreaterThanOrEqual(10);
  // Events added during a measurement count twice until the next one; then there may be room again.
  await vi.waitFor(async () => {
    taken += await fill(ingest);
    expect(await measured()).toBeGreaterThan(MIB);
  }, PATIENCE);
  expect(await ingest.entries()).toHaveLength(taken);
  expectError(await ingest.collect({ siteId: 'docs' }), 'queue_full');
  const pixel = await get(`${ingest.url}/pixel.gif`);
  expect(pixel.status).toBe(429);
  expect(pixel.headers.get('retry-after')).toMatch(/^[1-9]\d{0,2}$/);
  await ingest.logged(/queue is full/);

  // The wait follows from how fast entries leave. While none leave, it is the maximum.
  await vi.waitFor(async () => {
    const wait = (await ingest.send({ events: [makeEvent()] })).headers.get('retry-after');
    expect(Number(wait)).toBeGreaterThanOrEqual(60);
  }, PATIENCE);
  const waits: (string | null)[] = [];
  await vi.waitFor(async () => {
    const passing = await ingest.redis.xadd(ingest.stream, '*', 'passing', 'by');
    await ingest.redis.xdel(ingest.stream, passing!);
    waits.push((await ingest.send({ events: [makeEvent()] })).headers.get('retry-after'));
    expect(Number(waits.at(-1))).toBeLessThan(60);
  }, PATIENCE);
  expect(waits.filter((wait) => !/^[1-9]\d{0,2}$/.test(wait ?? ''))).toEqual([]);

  await ingest.redis.xtrim(ingest.stream, 'MAXLEN', 1);
  await takesAgain(ingest);
  await ingest.logged(/queue has room again/);
});

it('above 80 % of the memory of Redis batches are refused before Redis refuses to write', async () => {
  const server = await ownRedis();
  const ingest = await startIngest({}, { redisUrl: server.url });
  onTestFinished(async () => {
    await ingest.stop();
    await server.remove();
  });
  const used = Number(/used_memory:(\d+)/.exec(await ingest.redis.info('memory'))?.[1]);
  await ingest.redis.config('SET', 'maxmemory', Math.round(used / 0.85));
  const refused = await vi.waitFor(async () => {
    const answer = await ingest.send({ events: [makeEvent()] });
    expect(answer.status).not.toBe(202);
    return answer;
  }, PATIENCE);
  expectError(refused, 'queue_full', /memory limit/);
  expect(await ingest.redis.set('still', 'writable')).toBe('OK');

  await ingest.redis.config('SET', 'maxmemory', used * 10);
  await takesAgain(ingest);
});

it('above QUEUE_MAX_AGE_SECONDS batches are refused until the old entry is drained', async () => {
  const ingest = await startIngest({ QUEUE_MAX_AGE_SECONDS: '60' });
  onTestFinished(() => ingest.stop());
  const [seconds] = await ingest.redis.time();
  const old = `${(Number(seconds) - 120) * 1_000}-0`;
  await ingest.redis.xadd(ingest.stream, old, 'waiting', 'since long ago');
  const refused = await vi.waitFor(async () => {
    const answer = await ingest.send({ events: [makeEvent()] });
    expect(answer.status).not.toBe(202);
    return answer;
  }, PATIENCE);
  expectError(refused, 'queue_full', /waited longer than its limit/);
  expect((await get(`${ingest.url}/health`)).body.details.queue.oldest_age_seconds).toBeGreaterThanOrEqual(119);

  await ingest.redis.xdel(ingest.stream, old);
  await takesAgain(ingest);
});

it('the backlog of a shard above STREAM_SHARDS counts, because writers still drain it', async () => {
  const namespace = testNamespace();
  const shardOfBefore = streamKey(namespace, 3);
  const redis = new Redis(inject('redisUrl'), { replyMapping: 'legacy' });
  for (let entry = 0; entry < 20; entry += 1) await redis.xadd(shardOfBefore, '*', 'body', randomBytes(75_000));
  const ingest = await startIngest({ SLUICE_NAMESPACE: namespace, STREAM_SHARDS: '1', QUEUE_MAX_BYTES: String(MIB) });
  onTestFinished(async () => {
    await ingest.stop();
    await redis.del(shardOfBefore, streamKey(namespace, 0));
    redis.disconnect();
  });
  const refused = await vi.waitFor(async () => {
    const answer = await ingest.send({ events: [makeEvent()] });
    expect(answer.status).not.toBe(202);
    return answer;
  }, PATIENCE);
  expectError(refused, 'queue_full', /backlog is over its limit/);
  const { queue } = (await get(`${ingest.url}/health`)).body.details;
  expect(queue.entries).toBeGreaterThanOrEqual(20);

  await redis.xtrim(shardOfBefore, 'MAXLEN', 0);
  await takesAgain(ingest);
});
