import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readConservation, settledKey } from '@sluice/stream/conservation';
import { createGroup } from '@sluice/stream/consumer-group';
import { type OwnServer, ownRedis } from '@sluice/testkit/own-servers';
import { settleBatch, type Settleable } from '../src/batch/settle-batch.ts';

const STREAM = 'test:{events:0}';
const OTHER = 'test:{events:1}';

let server: OwnServer;
let redis: Redis;

beforeAll(async () => {
  server = await ownRedis();
  redis = new Redis(server.url, { replyMapping: 'legacy' });
});
afterAll(async () => {
  redis.disconnect();
  await server.remove();
});
beforeEach(async () => {
  await redis.flushall();
  await createGroup(redis, STREAM);
  await createGroup(redis, OTHER);
});

/** Adds entries that hold N events each, and reads them for a consumer. */
async function given(events: readonly number[], key = STREAM): Promise<Settleable[]> {
  const entries: Settleable[] = [];
  for (const held of events) {
    const id = (await redis.xadd(key, '*', 'v', '1'))!;
    entries.push({ key, id, accepted: held });
  }
  await redis.xreadgroup('GROUP', 'writers', 'one', 'COUNT', events.length, 'STREAMS', key, '>');
  return entries;
}

const settle = (entries: readonly Settleable[], stored: number, duplicates = 0, dead = 0): Promise<void> =>
  settleBatch(redis, entries, { stored, duplicates, dead });
const conserved = (key = STREAM) => readConservation(redis, key);
const pending = async (key = STREAM): Promise<number> => ((await redis.xpending(key, 'writers')) as [number])[0];

describe('entries that are settled', () => {
  it('are acknowledged, deleted and counted, with what became of their events', async () => {
    await settle(await given([3, 1, 5]), 6, 2, 1);
    const [, waiting] = await given([4, 1]);
    expect(await conserved()).toEqual({
      added: 5,
      settled: 3,
      waiting: 2,
      orphaned: 0,
      events: 9,
      stored: 6,
      duplicate: 2,
      dead: 1,
      driftEntries: 0,
      driftEvents: 0,
    });
    expect(await pending()).toBe(2);
    await settle([waiting!], 0, 0, 1);
    expect(await conserved()).toMatchObject({ settled: 4, events: 10, dead: 2, driftEntries: 0, driftEvents: 0 });
  });

  it('are counted once, though they are settled again after a reply that was lost', async () => {
    const entries = await given([3, 1, 5]);
    await settle(entries, 9);
    await settle(entries, 9);
    expect(await conserved()).toMatchObject({ settled: 3, events: 9, stored: 9, driftEntries: 0, driftEvents: 0 });
  });

  it('are counted once, though another writer has taken over and settled some of them', async () => {
    const entries = await given([3, 1, 5]);
    await settle(entries.slice(0, 2), 4);
    // The first writer comes late: four of its nine events were there already.
    await settle(entries, 5, 4);
    expect(await conserved()).toMatchObject({ settled: 3, waiting: 0, events: 9, stored: 9, duplicate: 0, dead: 0 });
    expect(await conserved()).toMatchObject({ driftEntries: 0, driftEvents: 0 });
    expect(await pending()).toBe(0);
  });

  it('add up though two writers have each taken the other for the first', async () => {
    const entries = await given([3, 1, 5]);
    await settle(entries.slice(1), 0, 6);
    await settle(entries, 8, 0, 1);
    expect(await conserved()).toMatchObject({ settled: 3, events: 9, driftEntries: 0, driftEvents: 0 });
  });

  it('of several streams, and of more than one call can hold, add up over all of them', async () => {
    const entries = [...(await given(Array.from({ length: 1_500 }, () => 2))), ...(await given([7], OTHER))];
    await settle(entries, 3_000, 6, 1);
    const [one, other] = [await conserved(), await conserved(OTHER)];
    expect([one.settled, one.events, other.settled, other.events]).toEqual([1_500, 3_000, 1, 7]);
    expect([one.driftEntries, one.driftEvents, other.driftEntries, other.driftEvents]).toEqual([0, 0, 0, 0]);
    expect([one.stored + other.stored, one.duplicate + other.duplicate, one.dead + other.dead]).toEqual([3_000, 6, 1]);
  });

  it('go though Redis is over maxmemory, and are counted all the same', async () => {
    const entries = await given([3, 1, 5]);
    await redis.config('SET', 'maxmemory', '1');
    await expect(redis.xadd(STREAM, '*', 'v', '1')).rejects.toThrow(/OOM/);
    await settle(entries, 9);
    expect(await conserved()).toMatchObject({ settled: 3, waiting: 0, events: 9, stored: 9, driftEntries: 0 });
    await redis.config('SET', 'maxmemory', '0');
  });

  it('of a stream from before there was counting start it without drift', async () => {
    const before = await given([1, 1, 1]);
    await redis.xack(STREAM, 'writers', ...before.map(({ id }) => id));
    await redis.xdel(STREAM, ...before.map(({ id }) => id));
    const [first] = await given([2, 2]);
    await settle([first!], 2);
    expect(await redis.hget(settledKey(STREAM), 'base')).toBe('3');
    expect(await conserved()).toMatchObject({ added: 5, settled: 1, waiting: 1, driftEntries: 0 });
  });
});

describe('drift', () => {
  beforeEach(async () => settle(await given([1, 1]), 2));

  it('is positive when entries are deleted or trimmed by hand', async () => {
    await given([1, 1, 1]);
    await redis.xdel(STREAM, (await redis.xadd(STREAM, '*', 'v', '1'))!);
    expect(await conserved()).toMatchObject({ added: 6, settled: 2, waiting: 3, driftEntries: 1 });
    await redis.xtrim(STREAM, 'MAXLEN', 1);
    expect(await conserved()).toMatchObject({ waiting: 1, driftEntries: 3 });
  });

  it('is positive when an entry that was deleted by hand is stored all the same', async () => {
    const entries = await given([1, 4]);
    await redis.xdel(STREAM, entries[1]!.id);
    await settle(entries, 5);
    expect(await conserved()).toMatchObject({ settled: 3, events: 7, stored: 7, driftEntries: 1, driftEvents: 0 });
  });

  it('is negative when the stream is deleted and made again', async () => {
    await redis.del(STREAM);
    expect(await conserved()).toMatchObject({ driftEntries: 0 });
    await createGroup(redis, STREAM);
    expect(await conserved()).toMatchObject({ added: 0, driftEntries: -2 });
    await settle(await given([1]), 1);
    expect(await conserved()).toMatchObject({ driftEntries: -2, driftEvents: 0 });
  });

  it('is gone with the count: after FLUSHALL, and when an operator deletes it', async () => {
    await redis.xtrim(STREAM, 'MAXLEN', 0);
    await given([1]);
    await redis.xtrim(STREAM, 'MAXLEN', 0);
    expect(await conserved()).toMatchObject({ driftEntries: 1 });
    await redis.del(settledKey(STREAM));
    await settle(await given([1]), 1);
    expect(await conserved()).toMatchObject({ added: 4, settled: 1, driftEntries: 0 });
    await redis.flushall();
    await createGroup(redis, STREAM);
    await settle(await given([1]), 1);
    expect(await conserved()).toMatchObject({ added: 1, settled: 1, driftEntries: 0 });
  });

  it('of events shows when a writer has lost count', async () => {
    await settle(await given([5, 5]), 8, 1);
    expect(await conserved()).toMatchObject({ driftEntries: 0, driftEvents: 1 });
  });
});
