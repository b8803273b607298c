import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { get } from '@sluice/testkit/http';
import { makeEvents } from '@sluice/testkit/make-event';
import { type OwnServer, ownRedis } from '@sluice/testkit/own-servers';
import { type Pipeline, startPipeline } from '@sluice/testkit/pipeline';
import type { TestDaemon } from '@sluice/testkit/test-daemon';
import { enqueue } from '../fixtures/enqueue.ts';

const PATIENCE = { timeout: 180_000 };

let server: OwnServer;
let admin: Redis;
let pipeline: Pipeline;
let writer: TestDaemon;

beforeAll(async () => {
  server = await ownRedis();
});
afterAll(() => server.remove());
beforeEach(async () => {
  admin = new Redis(server.url, { replyMapping: 'legacy' });
  pipeline = await startPipeline({ ingest: false, redisUrl: server.url });
  writer = await pipeline.startWriter('writer-1', { RECLAIM_IDLE_MS: '400' });
  await enqueue(pipeline, makeEvents(1));
  await pipeline.drained();
  await expect.poll(ready, PATIENCE).toBe(200);
});
afterEach(async () => {
  await admin.acl('SETUSER', 'default', '+@all');
  await pipeline.stop();
  admin.disconnect();
});

const ready = async (): Promise<number> => (await get(`${writer.url}/ready`)).status;
const failing = async (): Promise<{ doing: string; code: string; message: string }[]> =>
  (await get(`${writer.url}/health`)).body.details.consumer.failing;

describe('/ready fails, and /health says why, while Redis answers and refuses', () => {
  it.each([
    ['reading', '-xreadgroup', /^reading .*events:0/],
    ['taking over', '-xautoclaim', /^reading .*events:0/],
    ['taking back and acknowledging', '-eval', /^(?:acknowledging|taking back entries of .*events:0.*)$/],
  ])('%s', async (_, rule, doing) => {
    await admin.acl('SETUSER', 'default', rule);
    await enqueue(pipeline, makeEvents(1));
    await expect.poll(ready, PATIENCE).toBe(503);
    await expect.poll(failing, PATIENCE).toContainEqual({
      doing: expect.stringMatching(doing) as string,
      code: 'NOPERM',
      message: expect.stringContaining('permission') as string,
      since: expect.any(String) as string,
    });
    await admin.acl('SETUSER', 'default', '+@all');
    await expect.poll(ready, PATIENCE).toBe(200);
    await pipeline.drained();
    await pipeline.stored(2);
  });

  it('a key of another type', async () => {
    await admin.del(pipeline.stream);
    await admin.set(pipeline.stream, 'x');
    await expect.poll(ready, PATIENCE).toBe(503);
    await expect.poll(failing, PATIENCE).toContainEqual(expect.objectContaining({ code: 'WRONGTYPE' }) as object);
    await admin.del(pipeline.stream);
    await expect.poll(ready, PATIENCE).toBe(200);
  });

  it('every write, as a replica does after a failover', async () => {
    await admin.replicaof('127.0.0.1', 1);
    await expect.poll(ready, PATIENCE).toBe(503);
    await expect.poll(failing, PATIENCE).toContainEqual(expect.objectContaining({ code: 'READONLY' }) as object);
    await admin.replicaof('NO', 'ONE');
    await expect.poll(ready, PATIENCE).toBe(200);
  });
});
