import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createGroup } from '@sluice/stream/consumer-group';
import { post } from '@sluice/testkit/http';
import { makeEvents } from '@sluice/testkit/make-event';
import { type Pipeline, startPipeline } from '@sluice/testkit/pipeline';
import type { TestDaemon } from '@sluice/testkit/test-daemon';
import { enqueue } from '../fixtures/enqueue.ts';
import { readMetrics } from '../fixtures/read-metrics.ts';

const DRAINED = 'the stream was deleted after all of it was read; made again, nothing lost';

let pipeline: Pipeline;
beforeEach(async () => {
  pipeline = await startPipeline();
});
afterEach(() => pipeline.stop());

const lostLines = (writer: TestDaemon): unknown[] =>
  writer.log().filter((line) => line['level'] === 50 && String(line['msg']).startsWith('LOST'));
const streamsLost = async (writer: TestDaemon): Promise<number | undefined> =>
  (await readMetrics(writer.url)).get('sluice_writer_streams_lost_total');

it('a stream that is deleted with unread entries is reported as a loss, and consumption continues', async () => {
  const { ingest, redis, stream } = pipeline;
  await createGroup(redis, stream);
  await enqueue(pipeline, makeEvents(1));
  // Read by a writer that died: nobody has this entry in memory.
  await redis.xreadgroup('GROUP', 'writers', 'gone', 'COUNT', 1, 'STREAMS', stream, '>');
  const writer = await pipeline.startWriter('writer-1');
  await post(`${ingest.url}/api/events`, { events: makeEvents(5) });
  await pipeline.stored(5);
  await redis.del(stream);
  await post(`${ingest.url}/api/events`, { events: makeEvents(5) });
  await pipeline.stored(10);
  await pipeline.drained();
  expect((await redis.xinfo('GROUPS', stream)) as unknown[]).toHaveLength(1);
  expect(lostLines(writer)).toHaveLength(1);
  expect(await streamsLost(writer)).toBe(1);
});

it.each(['alone', 'with its counts'])(
  'a stream that is deleted %s after all of it was stored is no loss',
  async (how) => {
    const { ingest, redis, stream } = pipeline;
    const writer = await pipeline.startWriter('writer-1');
    await post(`${ingest.url}/api/events`, { events: makeEvents(5) });
    await pipeline.stored(5);
    await pipeline.drained();
    // FLUSHALL takes both; other tests share this server.
    await redis.del(...(how === 'alone' ? [stream] : [stream, `${stream}:settled`]));
    await post(`${ingest.url}/api/events`, { events: makeEvents(5) });
    await pipeline.stored(10);
    await pipeline.drained();
    await expect.poll(() => writer.log().map(({ msg }) => msg)).toContain(DRAINED);
    expect(lostLines(writer)).toEqual([]);
    expect(await streamsLost(writer)).toBe(0);
  },
);

/** Freezes the writer while its read waits in Redis, so that the answer to it is all that Redis sends. */
async function whileFrozen(writer: TestDaemon, act: () => Promise<void>): Promise<void> {
  const { redis, stream } = pipeline;
  await expect
    .poll(async () => String(await redis.client('LIST')).split('\n'))
    .toContainEqual(expect.stringMatching(new RegExp(`name=\\S*${RegExp.escape(stream)} .* flags=b `)));
  process.kill(writer.pid, 'SIGSTOP');
  try {
    await act();
  } finally {
    process.kill(writer.pid, 'SIGCONT');
  }
}

describe('a writer that is frozen while its stream is deleted', () => {
  it('reports a loss when entries were added that nobody was given', async () => {
    const { ingest, redis, stream } = pipeline;
    const writer = await pipeline.startWriter('writer-1');
    await post(`${ingest.url}/api/events`, { events: makeEvents(5) });
    await pipeline.stored(5);
    await pipeline.drained();
    await whileFrozen(writer, async () => {
      // The first is the answer to the read that waits; nobody is given the second.
      await enqueue(pipeline, makeEvents(1));
      await enqueue(pipeline, makeEvents(1));
      await redis.del(stream);
    });
    await pipeline.stored(6);
    await expect.poll(() => lostLines(writer)).toHaveLength(1);
    expect(await streamsLost(writer)).toBe(1);
  });

  it('reports none when all that was added was given to it', async () => {
    const { ingest, redis, stream } = pipeline;
    const writer = await pipeline.startWriter('writer-1');
    await post(`${ingest.url}/api/events`, { events: makeEvents(5) });
    await pipeline.stored(5);
    await pipeline.drained();
    await whileFrozen(writer, async () => void (await redis.del(stream)));
    await expect.poll(() => writer.log().map(({ msg }) => msg)).toContain(DRAINED);
    await post(`${ingest.url}/api/events`, { events: makeEvents(5) });
    await pipeline.stored(10);
    expect(lostLines(writer)).toEqual([]);
    expect(await streamsLost(writer)).toBe(0);
  });
});

it('a destroyed group is made again, everything in the stream is delivered again, and nothing is lost', async () => {
  const { ingest, redis, stream, database } = pipeline;
  await createGroup(redis, stream);
  for (let batch = 0; batch < 3; batch += 1) await enqueue(pipeline, makeEvents(1));
  // Another writer holds one of them; without its group it is delivered again.
  await redis.xreadgroup('GROUP', 'writers', 'gone', 'COUNT', 1, 'STREAMS', stream, '>');
  const writer = await pipeline.startWriter('writer-1');
  await pipeline.stored(2);
  await redis.xgroup('DESTROY', stream, 'writers');
  await post(`${ingest.url}/api/events`, { events: makeEvents(5) });
  await pipeline.stored(8);
  await pipeline.drained();
  expect(await database.query('SELECT count(*)::int AS events FROM events')).toEqual([{ events: 8 }]);
  const told = writer.log().filter(({ msg }) => msg === 'consumer group was destroyed; made again, nothing lost');
  expect(told).toHaveLength(1);
  expect(lostLines(writer)).toEqual([]);
  expect(await streamsLost(writer)).toBe(0);
});

it('shards above a lowered STREAM_SHARDS are drained too', async () => {
  const { redis, namespace } = pipeline;
  const body = JSON.stringify({ events: makeEvents(7) });
  const header = JSON.stringify({
    s: 'governance-tracker',
    t: 'default',
    i: '0b3f6a52-6d0e-4c57-9a38-5f0d7a1c9e11',
    n: 7,
    r: '2026-01-31T09:30:00.000Z',
  });
  await redis.xadd(`${namespace}:{events:3}`, '*', 'v', '1', 'h', header, 'b', body);
  await pipeline.startWriter('writer-2', { STREAM_SHARDS: '1' });
  await pipeline.stored(7);
  await pipeline.drained();
  expect(await redis.xlen(`${namespace}:{events:3}`)).toBe(0);
});
