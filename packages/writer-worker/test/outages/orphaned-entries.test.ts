import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readConservation } from '@sluice/stream/conservation';
import { createGroup } from '@sluice/stream/consumer-group';
import { measureShard } from '@sluice/stream/measure-shard';
import { makeEvents } from '@sluice/testkit/make-event';
import { type Pipeline, startPipeline } from '@sluice/testkit/pipeline';
import type { TestDaemon } from '@sluice/testkit/test-daemon';
import { enqueue } from '../fixtures/enqueue.ts';
import { readMetrics } from '../fixtures/read-metrics.ts';

const TAKEN_BACK = 'entries that no consumer held were taken back';

let pipeline: Pipeline;
beforeEach(async () => {
  pipeline = await startPipeline({ ingest: false });
});
afterEach(() => pipeline.stop());

/** Adds entries of one event each. */
async function addEntries(count: number): Promise<string[]> {
  return Promise.all(Array.from({ length: count }, () => enqueue(pipeline, makeEvents(1))));
}

const read = (consumer: string, count: number): Promise<unknown> =>
  pipeline.redis.xreadgroup('GROUP', 'writers', consumer, 'COUNT', count, 'STREAMS', pipeline.stream, '>');

const takenBack = (writer: TestDaemon): number =>
  writer
    .log()
    .filter(({ msg }) => msg === TAKEN_BACK)
    .reduce((sum, line) => sum + Number(line['entries']), 0);

/** Every way in which entries become orphans, done to a stream with a group and three entries that `gone` has read. */
const WAYS: Record<string, () => Promise<void>> = {
  async 'XGROUP DELCONSUMER with pending entries'() {
    expect(await pipeline.redis.xgroup('DELCONSUMER', pipeline.stream, 'writers', 'gone')).toBe(3);
  },
  async 'XACK without XDEL by another program'() {
    const ids = (await pipeline.redis.xrange(pipeline.stream, '-', '+')).map(([id]) => id);
    expect(await pipeline.redis.xack(pipeline.stream, 'writers', ...ids)).toBe(3);
  },
  async 'a group that was copied without its pending entries'() {
    await pipeline.redis.xgroup('DESTROY', pipeline.stream, 'writers');
    await pipeline.redis.xgroup('CREATE', pipeline.stream, 'writers', '$');
  },
  async 'a group of which Redis does not know the lag'() {
    const { redis, stream } = pipeline;
    const [id] = await addEntries(2);
    await redis.xgroup('DELCONSUMER', stream, 'writers', 'gone');
    await redis.xdel(stream, id!);
    const group = (await redis.xinfo('GROUPS', stream)) as unknown[][];
    expect(group[0]!.at(-1)).toBeNull();
  },
  async 'a wrong ENTRIESREAD'() {
    const { redis, stream } = pipeline;
    await redis.call('XGROUP', 'SETID', stream, 'writers', '$', 'ENTRIESREAD', '0');
    await redis.xgroup('DELCONSUMER', stream, 'writers', 'gone');
  },
};

describe('entries that were delivered and that no consumer holds are taken back and stored, after', () => {
  it.each(Object.keys(WAYS))('%s', async (way) => {
    const { redis, stream } = pipeline;
    await createGroup(redis, stream);
    await addEntries(3);
    await read('gone', 3);
    await WAYS[way]!();
    const writer = await pipeline.startWriter('writer-1');
    await pipeline.drained();
    await pipeline.stored(3);
    await expect.poll(() => takenBack(writer)).toBe(3);
    expect((await readMetrics(writer.url)).get('sluice_writer_taken_back_entries_total')).toBe(3);
    expect(writer.log().filter(({ msg }) => String(msg).startsWith('LOST'))).toEqual([]);
  });

  it('XGROUP SETID past unread entries, while a writer is running', async () => {
    const { redis, stream } = pipeline;
    const writer = await pipeline.startWriter('writer-1', { RECLAIM_IDLE_MS: '200' });
    await enqueue(pipeline, makeEvents(1));
    await pipeline.drained();
    // In one step, so that the writer cannot read them before.
    const fields = ['v', '1', 'h', '{}', 'b', '{}'];
    await redis
      .multi()
      .xadd(stream, '*', ...fields)
      .xadd(stream, '*', ...fields)
      .xgroup('SETID', stream, 'writers', '$')
      .exec();
    await pipeline.drained();
    await expect.poll(() => takenBack(writer)).toBe(2);
  });

  it('XGROUP SETID beyond the last id of the stream, and new entries are read again', async () => {
    const { redis, stream } = pipeline;
    await createGroup(redis, stream);
    await addEntries(2);
    await redis.xgroup('SETID', stream, 'writers', `${Date.now() + 3_600_000}-0`);
    await addEntries(1);
    await pipeline.startWriter('writer-1');
    await pipeline.drained();
    await addEntries(1);
    await pipeline.drained();
    await pipeline.stored(4);
    expect(await readConservation(redis, stream)).toMatchObject({ settled: 4, stored: 4, orphaned: 0 });
  });
});

it('thousands of them on two shards are stored once, though two writers take them back at the same time', async () => {
  const { redis, stream, database } = pipeline;
  const other = stream.replace(':0}', ':1}');
  for (const key of [stream, other]) {
    await createGroup(redis, key);
    for (let batch = 0; batch < 15; batch += 1)
      await Promise.all(Array.from({ length: 100 }, () => enqueue({ redis, stream: key }, makeEvents(1))));
    await redis.xgroup('SETID', key, 'writers', '$');
  }
  // Pending entries in between are left with their consumer.
  expect(await readConservation(redis, stream)).toMatchObject({ waiting: 0, orphaned: 1_500, driftEntries: 0 });
  const writers = await Promise.all(
    ['writer-1', 'writer-2'].map((name) => pipeline.startWriter(name, { RECLAIM_IDLE_MS: '1000', STREAM_SHARDS: '2' })),
  );
  await pipeline.drained();
  expect(await database.query('SELECT count(*)::int AS events FROM events')).toEqual([{ events: 3_000 }]);
  await expect.poll(() => writers.reduce((sum, writer) => sum + takenBack(writer), 0)).toBe(3_000);
  for (const key of [stream, other])
    expect(await readConservation(redis, key)).toMatchObject({
      settled: 1_500,
      orphaned: 0,
      stored: 1_500,
      driftEvents: 0,
    });
});

it('an orphan between pending entries is found, and what another writer holds is left alone', async () => {
  const { redis, stream } = pipeline;
  await createGroup(redis, stream);
  const ids = await addEntries(5);
  await read('alive', 5);
  await redis.xack(stream, 'writers', ids[2]!);
  expect(await readConservation(redis, stream)).toMatchObject({ waiting: 4, orphaned: 1 });
  const writer = await pipeline.startWriter('writer-1');
  await pipeline.stored(1);
  await expect.poll(() => takenBack(writer)).toBe(1);
  // Stored comes before settled.
  await expect.poll(async () => (await redis.xpending(stream, 'writers'))[3]).toEqual([['alive', '4']]);
});

it('the age of the oldest entry is that of one which a writer can see', async () => {
  const { redis, stream } = pipeline;
  await redis.xadd(stream, '1-0', 'v', '1');
  await redis.xadd(stream, '2-0', 'v', '1');
  expect((await measureShard(redis, stream)).oldestId).toBe('1-0');
  await createGroup(redis, stream);
  await read('gone', 1);
  expect((await measureShard(redis, stream)).oldestId).toBe('1-0');
  await redis.xgroup('DELCONSUMER', stream, 'writers', 'gone');
  expect(await measureShard(redis, stream)).toMatchObject({ length: 2, oldestId: '2-0' });
  await read('alive', 1);
  expect((await measureShard(redis, stream)).oldestId).toBe('2-0');
  await redis.xack(stream, 'writers', '2-0');
  expect((await measureShard(redis, stream)).oldestId).toBeNull();
});
