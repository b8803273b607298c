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
      orphaned: 0,
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

/** Of five entries two are pending at a consumer that is deleted, one at another, and two are not delivered. */
const orphan = async (): Promise<void> => {
  await createGroup(redis, STREAM);
  for (let entry = 0; entry < 5; entry += 1) await add();
  await redis.xreadgroup('GROUP', 'writers', 'gone', 'COUNT', 2, 'STREAMS', STREAM, '>');
  await redis.xreadgroup('GROUP', 'writers', 'alive', 'COUNT', 1, 'STREAMS', STREAM, '>');
  await redis.xgroup('DELCONSUMER', STREAM, 'writers', 'gone');
};

describe('entries that were delivered and that no consumer holds', () => {
  it('are counted apart from what waits, and are no drift', async () => {
    await orphan();
    expect(await readConservation(redis, STREAM)).toMatchObject({ waiting: 3, orphaned: 2, driftEntries: 0 });
  });

  it('are counted where Redis does not know how many are not delivered yet', async () => {
    await orphan();
    await redis.xdel(STREAM, (await add())!);
    expect(await readConservation(redis, STREAM)).toMatchObject({ waiting: 3, orphaned: 2 });
  });
});
