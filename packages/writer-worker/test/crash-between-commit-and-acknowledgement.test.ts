import { afterAll, beforeAll, expect, it } from 'vitest';
import { readConservation } from '@sluice/stream/conservation';
import { foldAll } from '@sluice/testkit/fold-all';
import { get, post } from '@sluice/testkit/http';
import { makeEvents } from '@sluice/testkit/make-event';
import { type OwnServer, ownRedis } from '@sluice/testkit/own-servers';
import { type Pipeline, startPipeline } from '@sluice/testkit/pipeline';

let redisServer: OwnServer;
let pipeline: Pipeline;

beforeAll(async () => {
  redisServer = await ownRedis();
  pipeline = await startPipeline({ redisUrl: redisServer.url });
});
afterAll(async () => {
  await pipeline.stop();
  await redisServer.remove();
});

it('a writer killed after COMMIT and before acknowledging stores nothing twice', async () => {
  const { database, ingest, redis, stream } = pipeline;
  // The writer reads the batch, but can't store it yet: the table is locked.
  const blocker = await database.connect();
  await blocker.query('BEGIN; LOCK TABLE events IN ACCESS EXCLUSIVE MODE');
  const killed = await pipeline.startWriter('writer-1');
  expect((await post(`${ingest.url}/api/events`, { events: makeEvents(500) })).status).toBe(202);
  await expect.poll(() => pendingOf(), { timeout: 180_000 }).toBe(1);
  await expect.poll(() => waitingForLocks(), { timeout: 180_000 }).toBe(1);

  // Now it may commit, while Redis takes no acknowledgement.
  await redis.call('CLIENT', 'PAUSE', '60000', 'WRITE');
  await blocker.query('COMMIT');
  await blocker.end();
  await pipeline.stored(500);
  killed.kill('SIGKILL');
  await killed.exited;
  await redis.call('CLIENT', 'UNPAUSE');
  expect(await redis.xlen(stream)).toBe(1);
  expect(await pendingOf()).toBe(1);

  const next = await pipeline.startWriter('writer-1');
  await pipeline.drained();
  expect(await pendingOf()).toBe(0);
  await foldAll(database);
  const counted = await database.query(
    `SELECT (SELECT count(*)::int FROM events) AS events, (SELECT count(DISTINCT event_id)::int FROM events) AS ids,
            (SELECT sum(event_count)::int FROM sessions) AS in_sessions`,
  );
  expect(counted).toEqual([{ events: 500, ids: 500, in_sessions: 500 }]);
  expect((await get(`${next.url}/health`)).body.details.consumer).toMatchObject({
    stored_events: 0,
    duplicate_events: 500,
  });
  // Of the first transaction Redis never heard; the second one only found duplicates.
  expect(await readConservation(redis, stream)).toEqual({
    added: 1,
    settled: 1,
    waiting: 0,
    orphaned: 0,
    events: 500,
    stored: 0,
    duplicate: 500,
    dead: 0,
    driftEntries: 0,
    driftEvents: 0,
  });

  async function pendingOf(): Promise<number> {
    const [count] = (await redis.xpending(stream, 'writers')) as [number];
    return count;
  }
  async function waitingForLocks(): Promise<number> {
    return (
      await database.query(
        "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()",
      )
    ).length;
  }
});
