import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { post } from '@sluice/testkit/http';
import { makeEvents } from '@sluice/testkit/make-event';
import { type Pipeline, startPipeline } from '@sluice/testkit/pipeline';
import { startTestDaemon } from '@sluice/testkit/test-daemon';

const SHUTDOWN_TIMEOUT_MS = '60000';
let pipeline: Pipeline;
beforeAll(async () => {
  pipeline = await startPipeline({ env: { SHUTDOWN_TIMEOUT_MS } });
});
afterAll(() => pipeline.stop());

it('SIGTERM of ingest and writer under load loses nothing that was acknowledged, and ends within the deadline', async () => {
  const { ingest, database } = pipeline;
  const writer = await pipeline.startWriter('writer-1');
  const acknowledged: string[] = [];
  let refused = 0;
  let stopped = false;
  const clients = Array.from({ length: 10 }, async () => {
    while (!stopped) {
      const events = makeEvents(200);
      try {
        const answer = await post(`${ingest.url}/api/events`, { events });
        if (answer.status === 202) acknowledged.push(...events.map((event) => String(event['eventId'])));
        else refused += 1;
      } catch {
        refused += 1;
        stopped = true;
      }
    }
  });
  await pipeline.stored(2_000);
  const started = performance.now();
  ingest.kill('SIGTERM');
  writer.kill('SIGTERM');
  const exits = await Promise.all([ingest.exited, writer.exited]);
  expect(performance.now() - started).toBeLessThan(Number(SHUTDOWN_TIMEOUT_MS));
  expect(exits.map((exit) => exit.code)).toEqual([0, 0]);
  await Promise.all(clients);
  expect(refused).toBeGreaterThan(0);

  const next = await pipeline.startWriter('writer-1');
  await pipeline.drained();
  await next.stop();
  const rows = await database.query<{ event_id: string }>('SELECT event_id FROM events');
  const stored = new Set(rows.map((row) => row.event_id));
  expect(rows).toHaveLength(stored.size);
  expect(acknowledged.filter((id) => !stored.has(id))).toEqual([]);
});

it('a writer that cannot store gives up at its deadline, and the entries stay', async () => {
  const { database, redis, stream, namespace } = pipeline;
  const blocker = await database.connect();
  await blocker.query('BEGIN; LOCK TABLE events IN ACCESS EXCLUSIVE MODE');
  const writer = await pipeline.startWriter('writer-1', { SHUTDOWN_TIMEOUT_MS: '2000' });
  const ingest = await startTestDaemon('ingest-api', { REDIS_URL: inject('redisUrl'), SLUICE_NAMESPACE: namespace });
  await post(`${ingest.url}/api/events`, { events: makeEvents(5, { userName: 'late' }) });
  await ingest.stop();
  await expect
    .poll(async () => ((await redis.xpending(stream, 'writers')) as [number])[0], { timeout: 180_000 })
    .toBe(1);
  writer.kill('SIGTERM');
  expect((await writer.exited).code).toBe(0);
  expect(await redis.xlen(stream)).toBe(1);
  expect(writer.log().map((line) => line['outcome'])).toContain('abandoned');

  await blocker.query('ROLLBACK');
  await blocker.end();
  await pipeline.startWriter('writer-1');
  await pipeline.drained();
  expect(await database.query("SELECT 1 FROM events WHERE actor = 'late'")).toHaveLength(5);
});
