import { afterAll, beforeAll, expect, it } from 'vitest';
import { foldAll } from '@sluice/testkit/fold-all';
import { get, post } from '@sluice/testkit/http';
import { makeEvents } from '@sluice/testkit/make-event';
import { type Pipeline, startPipeline } from '@sluice/testkit/pipeline';

let pipeline: Pipeline;
beforeAll(async () => {
  pipeline = await startPipeline();
});
afterAll(() => pipeline.stop());

it('two writers share one stream and store each event once', async () => {
  const { ingest, database, redis, stream } = pipeline;
  const batches = Array.from({ length: 80 }, () => makeEvents(100));
  const answers = await Promise.all(batches.map((events) => post(`${ingest.url}/api/events`, { events })));
  expect(answers.every((answer) => answer.status === 202)).toBe(true);

  // Nothing can be stored until both have taken a part of the backlog.
  const blocker = await database.connect();
  await blocker.query('BEGIN; LOCK TABLE events IN ACCESS EXCLUSIVE MODE');
  const small = { WRITER_BATCH_EVENTS: '100', WRITER_CONCURRENCY: '1' };
  const writers = await Promise.all([pipeline.startWriter('writer-1', small), pipeline.startWriter('writer-2', small)]);
  await expect
    // [pending entries, first id, last id, [[consumer, its pending entries], …]]
    .poll(async () => (await redis.xpending(stream, 'writers'))[3], { timeout: 180_000 })
    .toHaveLength(2);
  await blocker.query('ROLLBACK');
  await blocker.end();
  await pipeline.drained();
  expect(
    await database.query('SELECT count(*)::int AS events, count(DISTINCT event_id)::int AS ids FROM events'),
  ).toEqual([{ events: 8_000, ids: 8_000 }]);
  const stored = await Promise.all(
    writers.map(async ({ url }) => (await get(`${url}/health`)).body.details.consumer.stored_events as number),
  );
  expect(stored[0]! + stored[1]!).toBe(8_000);
  expect(Math.min(...stored)).toBeGreaterThan(0);
});

it('the same ids from three clients at once are stored once, without deadlock', async () => {
  const { ingest, database } = pipeline;
  const events = makeEvents(1_000, { sessionId: 'shared', userName: 'three clients' });
  for (let round = 0; round < 3; round += 1) {
    const clients = [events, events.toReversed(), events.toSorted(() => Math.random() - 0.5)];
    const answers = await Promise.all(clients.map((each) => post(`${ingest.url}/api/events`, { events: each })));
    expect(answers.map((answer) => answer.status)).toEqual([202, 202, 202]);
  }
  await pipeline.drained();
  expect(await database.query("SELECT count(*)::int AS events FROM events WHERE session_id = 'shared'")).toEqual([
    { events: 1_000 },
  ]);
  await foldAll(database);
  expect(await database.query("SELECT event_count::int FROM sessions WHERE session_id = 'shared'")).toEqual([
    { event_count: 1_000 },
  ]);
});
