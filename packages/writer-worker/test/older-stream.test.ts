import { afterEach, beforeEach, expect, it } from 'vitest';
import { makeEvents } from '@sluice/testkit/make-event';
import { type OwnServer, ownRedis } from '@sluice/testkit/own-servers';
import { type Pipeline, startPipeline } from '@sluice/testkit/pipeline';
import type { TestDaemon } from '@sluice/testkit/test-daemon';
import { enqueue } from './fixtures/enqueue.ts';
import { readMetrics } from './fixtures/read-metrics.ts';

const LOST_PART =
  'LOST: Redis came back with an older state of the stream; what was added since and not stored is gone';
const OLDER = 'Redis came back with an older state of the stream; all of it was read, nothing lost';
const EMPTIED = 'the stream was deleted after all of it was read; made again, nothing lost';

let server: OwnServer;
let pipeline: Pipeline;
let writer: TestDaemon;
beforeEach(async () => {
  // It saves only when it is asked to.
  server = await ownRedis({ appendonly: 'no', save: '' });
  pipeline = await startPipeline({ redisUrl: server.url });
  writer = await pipeline.startWriter('writer-1', { RECLAIM_IDLE_MS: '1000' });
});
afterEach(async () => {
  await pipeline.stop();
  await server.remove();
});

const messages = (): unknown[] => writer.log().map(({ msg }) => msg);
const lostLines = (): unknown[] => messages().filter((msg) => String(msg).startsWith('LOST'));
const streamsLost = async (): Promise<number | undefined> =>
  (await readMetrics(writer.url)).get('sluice_writer_streams_lost_total');

async function untilReadWaits(): Promise<void> {
  const { redis, stream } = pipeline;
  await expect
    .poll(async () => String(await redis.client('LIST')).split('\n'))
    .toContainEqual(expect.stringMatching(new RegExp(`name=\\S*${RegExp.escape(stream)} .* flags=b `)));
}

/** Ends Redis without saving, and starts it with what was saved last. */
async function crash(): Promise<void> {
  process.kill(server.pid(), 'SIGKILL');
  await server.stop();
  await server.start();
  await expect.poll(() => pipeline.redis.status).toBe('ready');
}

/** Redis gets two entries while the writer is frozen, and crashes: the writer was not given the second. */
async function crashWithAnEntryOfNobody(): Promise<void> {
  process.kill(writer.pid, 'SIGSTOP');
  try {
    // The first is the answer to the read that waits; nobody is given the second.
    await enqueue(pipeline, makeEvents(1));
    await enqueue(pipeline, makeEvents(1));
    await crash();
  } finally {
    process.kill(writer.pid, 'SIGCONT');
  }
}

it('an older snapshot, after everything was stored: it is said, and nothing is called lost', async () => {
  const { redis } = pipeline;
  await enqueue(pipeline, makeEvents(2));
  await pipeline.drained();
  await redis.save();
  await enqueue(pipeline, makeEvents(3));
  await pipeline.drained();
  await untilReadWaits();
  await crash();
  await expect.poll(messages).toContain(OLDER);
  await enqueue(pipeline, makeEvents(1));
  await pipeline.stored(6);
  await pipeline.drained();
  expect(lostLines()).toEqual([]);
  expect(await streamsLost()).toBe(0);
});

it('an older snapshot, with entries that the writer was not given: a loss', async () => {
  const { redis } = pipeline;
  await enqueue(pipeline, makeEvents(2));
  await pipeline.drained();
  await redis.save();
  await enqueue(pipeline, makeEvents(1));
  await pipeline.drained();
  await untilReadWaits();
  await crashWithAnEntryOfNobody();
  await expect.poll(lostLines).toEqual([LOST_PART]);
  expect(await streamsLost()).toBe(1);
});

it('a Redis that comes back empty, after everything was stored, is no loss', async () => {
  await enqueue(pipeline, makeEvents(2));
  await pipeline.drained();
  await untilReadWaits();
  await crash();
  await expect.poll(messages).toContain(EMPTIED);
  await enqueue(pipeline, makeEvents(2));
  await pipeline.stored(4);
  expect(messages()).not.toContain(OLDER);
  expect(lostLines()).toEqual([]);
  expect(await streamsLost()).toBe(0);
});

it('a Redis that comes back empty, with entries that the writer was not given, is a loss', async () => {
  await enqueue(pipeline, makeEvents(2));
  await pipeline.drained();
  await untilReadWaits();
  await crashWithAnEntryOfNobody();
  await expect.poll(lostLines).toHaveLength(1);
  expect(await streamsLost()).toBe(1);
});
