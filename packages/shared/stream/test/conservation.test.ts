import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type OwnServer, ownRedis } from '@sluice/testkit/own-servers';
import { readConservation, settledKey } from '../src/conservation.ts';
import { createGroup } from '../src/consumer-group.ts';

const STREAM = 'test:{events:0}';

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
});

const add = (): Promise<string | null> => redis.xadd(STREAM, '*', 'v', '1');

describe('there is no drift', () => {
  it('of a stream that does not exist', async () => {
    expect(await readConservation(redis, STREAM)).toEqual({
      added: 0,
      settled: 0,
      waiting: 0,
      events: 0,
      stored: 0,
      duplicate: 0,
      dead: 0,
      driftEntries: 0,
      driftEvents: 0,
    });
  });

  it('of a stream before its first entry is settled, whatever left it before', async () => {
    await createGroup(redis, STREAM);
    for (let entry = 0; entry < 3; entry += 1) await add();
    await redis.xdel(STREAM, (await add())!);
    expect(await readConservation(redis, STREAM)).toMatchObject({ added: 4, waiting: 3, settled: 0, driftEntries: 0 });
  });
});

it('events that a writer did not count are a drift too', async () => {
  await add();
  await redis.hset(settledKey(STREAM), { base: 0, entries: 0, events: 10, stored: 6, duplicate: 2, dead: 1 });
  expect(await readConservation(redis, STREAM)).toMatchObject({ driftEntries: 0, driftEvents: 1 });
});

it('can be read over maxmemory', async () => {
  await add();
  await redis.config('SET', 'maxmemory', '1');
  await expect(add()).rejects.toThrow(/OOM/);
  expect(await readConservation(redis, STREAM)).toMatchObject({ added: 1, waiting: 1 });
  await redis.config('SET', 'maxmemory', '0');
});
