import { afterAll, beforeAll, expect, it } from 'vitest';
import { foldAll } from '@sluice/testkit/fold-all';
import { post } from '@sluice/testkit/http';
import { makeEvents } from '@sluice/testkit/make-event';
import { type Pipeline, startPipeline } from '@sluice/testkit/pipeline';

let pipeline: Pipeline;
beforeAll(async () => {
  pipeline = await startPipeline();
  await pipeline.startWriter('writer-1');
});
afterAll(() => pipeline.stop());

it('a resend of the same ids with other timestamps stores nothing new', async () => {
  const { ingest, database } = pipeline;
  const events = makeEvents(600);
  await post(`${ingest.url}/api/events`, { events });
  await pipeline.drained();
  const before = await database.query('SELECT event_id, occurred_at FROM events ORDER BY event_id');
  expect(before).toHaveLength(600);

  const resent = events.map((event, at) => ({
    ...event,
    timestamp: `2019-05-${String((at % 28) + 1).padStart(2, '0')}T00:00:00Z`,
  }));
  expect((await post(`${ingest.url}/api/events`, { events: resent })).body.accepted).toBe(600);
  await pipeline.drained();
  expect(await database.query('SELECT event_id, occurred_at FROM events ORDER BY event_id')).toEqual(before);
  await foldAll(database);
  expect(await database.query('SELECT sum(event_count)::int AS counted FROM sessions')).toEqual([{ counted: 600 }]);
});

it('a resend under the same Idempotency-Key gives events without ids the same ones', async () => {
  const { ingest, database } = pipeline;
  const events = makeEvents(3, { eventId: undefined, userName: 'idempotent' });
  const headers = { 'idempotency-key': 'upload-1' };
  const first = await post(`${ingest.url}/api/events`, { events }, headers);
  const second = await post(`${ingest.url}/api/events`, { events }, headers);
  expect(second.body.batch_id).toBe(first.body.batch_id);
  await pipeline.drained();
  expect(await database.query("SELECT 1 FROM events WHERE actor = 'idempotent'")).toHaveLength(3);
});
