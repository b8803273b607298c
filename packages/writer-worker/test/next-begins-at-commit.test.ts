import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeEvents } from '@sluice/testkit/make-event';
import { type OwnServer, ownRedis } from '@sluice/testkit/own-servers';
import { type Pipeline, startPipeline } from '@sluice/testkit/pipeline';
import { enqueue } from './fixtures/enqueue.ts';

const PATIENCE = { timeout: 180_000, interval: 20 };

let redisServer: OwnServer;
let pipeline: Pipeline;

beforeAll(async () => {
  redisServer = await ownRedis();
  pipeline = await startPipeline({ ingest: false, redisUrl: redisServer.url });
});
afterAll(async () => {
  await pipeline.stop();
  await redisServer.remove();
});

it('the next transaction begins at the COMMIT of the last one, and does not wait for its acknowledgement', async () => {
  const { database, redis, stream } = pipeline;
  const blocker = await database.connect();
  await blocker.query('BEGIN; LOCK TABLE events IN ACCESS EXCLUSIVE MODE');
  for (let entry = 0; entry < 2; entry += 1) await enqueue(pipeline, makeEvents(1));
  // One transaction at a time, each of one entry.
  await pipeline.startWriter('writer-1', { WRITER_CONCURRENCY: '1', WRITER_BATCH_EVENTS: '1' });
  await expect.poll(async () => ((await redis.xpending(stream, 'writers')) as [number])[0], PATIENCE).toBe(2);

  await redis.call('CLIENT', 'PAUSE', '300000', 'WRITE');
  await blocker.query('COMMIT');
  await blocker.end();
  await pipeline.stored(2);
  expect(await redis.xlen(stream)).toBe(2);

  await redis.call('CLIENT', 'UNPAUSE');
  await pipeline.drained();
});
