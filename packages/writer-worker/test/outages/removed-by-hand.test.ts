import { Client } from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readConservation } from '@sluice/stream/conservation';
import { createGroup } from '@sluice/stream/consumer-group';
import { makeEvents } from '@sluice/testkit/make-event';
import { type Pipeline, startPipeline } from '@sluice/testkit/pipeline';
import type { TestDaemon } from '@sluice/testkit/test-daemon';
import { enqueue } from '../fixtures/enqueue.ts';
import { readMetrics } from '../fixtures/read-metrics.ts';

const GONE = 'LOST: entries were deleted from the stream before they were stored';
/** Writers check twice in this time what others hold. */
const OFTEN = { RECLAIM_IDLE_MS: '300' };

let pipeline: Pipeline;
beforeEach(async () => {
  pipeline = await startPipeline();
});
afterEach(() => pipeline.stop());

const lostLines = (writer: TestDaemon): Record<string, unknown>[] =>
  writer.log().filter(({ msg }) => String(msg).startsWith('LOST'));

async function addEntries(count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let entry = 0; entry < count; entry += 1) ids.push(await enqueue(pipeline, makeEvents(1)));
  return ids;
}

/** Runs `act` while a writer has entries in work and cannot store them. */
async function whileInWork(entries: number, act: () => Promise<unknown>): Promise<void> {
  const blocker = new Client({ connectionString: pipeline.database.url });
  await blocker.connect();
  try {
    await blocker.query('BEGIN; LOCK TABLE events IN ACCESS EXCLUSIVE MODE');
    await addEntries(entries);
    await expect.poll(async () => (await pipeline.redis.xpending(pipeline.stream, 'writers'))[0]).toBe(entries);
    await act();
  } finally {
    await blocker.end();
  }
}

describe('entries that a dead writer held are reported as lost, with their ids, after', () => {
  const WAYS: Record<string, (ids: string[]) => Promise<unknown>> = {
    XDEL: (ids) => pipeline.redis.xdel(pipeline.stream, ids[0]!, ids[1]!),
    'XTRIM MINID': (ids) => pipeline.redis.xtrim(pipeline.stream, 'MINID', ids[2]!),
    'XTRIM MAXLEN': () => pipeline.redis.xtrim(pipeline.stream, 'MAXLEN', 2),
  };

  it.each(Object.keys(WAYS))('%s', async (way) => {
    const { redis, stream } = pipeline;
    await createGroup(redis, stream);
    const ids = await addEntries(4);
    await redis.xreadgroup('GROUP', 'writers', 'gone', 'COUNT', 3, 'STREAMS', stream, '>');
    await WAYS[way]!(ids);
    const writer = await pipeline.startWriter('writer-1', OFTEN);
    await pipeline.stored(2);
    await pipeline.drained();
    await expect.poll(() => lostLines(writer).flatMap(({ lost }) => lost)).toEqual(ids.slice(0, 2));
    expect(lostLines(writer)).toEqual([expect.objectContaining({ msg: GONE, level: 50 })]);
    expect((await readMetrics(writer.url)).get('sluice_writer_lost_entries_total')).toBe(2);
  });
});

it('entries that nobody had read are drift after XDEL and XTRIM, once counting has begun', async () => {
  const { redis, stream } = pipeline;
  await pipeline.startWriter('writer-1');
  await addEntries(1);
  await pipeline.drained();
  // In one step, so that the writer cannot read them before.
  const fields = ['v', '1', 'h', '{}', 'b', '{}'];
  await redis
    .multi()
    .xadd(stream, '*', ...fields)
    .xadd(stream, '*', ...fields)
    .xtrim(stream, 'MAXLEN', 0)
    .exec();
  expect(await readConservation(redis, stream)).toMatchObject({ settled: 1, driftEntries: 2, orphaned: 0 });
});

it('entries that a living writer has in work are stored and not lost, whatever is deleted', async () => {
  const { redis, stream } = pipeline;
  const writer = await pipeline.startWriter('writer-1', OFTEN);
  await expect.poll(() => redis.exists(stream)).toBe(1);
  await whileInWork(3, async () => {
    expect(await redis.xtrim(stream, 'MAXLEN', 0)).toBe(3);
    // A round over the pending entries has found them deleted.
    await expect.poll(async () => (await redis.xpending(stream, 'writers'))[0]).toBe(0);
  });
  await pipeline.stored(3);
  await addEntries(1);
  await pipeline.stored(4);
  expect(lostLines(writer)).toEqual([]);
});

it('XGROUP SETID back, while entries are in work, delivers them again and stores them once', async () => {
  const { redis, stream, database } = pipeline;
  const writer = await pipeline.startWriter('writer-1', OFTEN);
  await expect.poll(() => redis.exists(stream)).toBe(1);
  await whileInWork(3, async () => {
    await redis.xgroup('SETID', stream, 'writers', '0');
    // Read again by the same writer.
    await expect
      .poll(async () => (await redis.xpending(stream, 'writers', '-', '+', 1)) as unknown[][])
      .toEqual([[expect.any(String), 'writer-1', expect.any(Number), 2]]);
  });
  await pipeline.drained();
  expect(await database.query('SELECT count(*)::int AS events FROM events')).toEqual([{ events: 3 }]);
  expect(lostLines(writer)).toEqual([]);
  expect(await readConservation(redis, stream)).toMatchObject({
    settled: 3,
    stored: 3,
    driftEntries: 0,
    driftEvents: 0,
  });
});

it('a stream that is renamed away and back is stored whole', async () => {
  const { redis, stream } = pipeline;
  const writer = await pipeline.startWriter('writer-1', OFTEN);
  await addEntries(1);
  await pipeline.drained();
  const fields = await encodedFields();
  await redis
    .multi()
    .xadd(stream, '*', ...fields)
    .rename(stream, `${stream}:aside`)
    .exec();
  await expect.poll(() => redis.exists(stream)).toBe(1);
  await redis.multi().del(stream).rename(`${stream}:aside`, stream).exec();
  await pipeline.stored(2);
  await pipeline.drained();
  expect(lostLines(writer)).toEqual([]);
});

/** Fields of an entry with one event. */
async function encodedFields(): Promise<string[]> {
  const { redis, namespace } = pipeline;
  const other = `${namespace}:scratch`;
  await enqueue({ redis, stream: other }, makeEvents(1));
  const [[, fields]] = (await redis.xrange(other, '-', '+')) as [[string, string[]]];
  await redis.del(other);
  return fields;
}
