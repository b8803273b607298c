import { afterAll, beforeAll, expect, it } from 'vitest';
import { post } from '@sluice/testkit/http';
import { makeEvents } from '@sluice/testkit/make-event';
import { type Pipeline, startPipeline } from '@sluice/testkit/pipeline';
import { readMetrics } from './fixtures/read-metrics.ts';

let pipeline: Pipeline;
beforeAll(async () => {
  pipeline = await startPipeline();
});
afterAll(() => pipeline.stop());

it('a stream that is deleted with its group is reported as a loss, and consumption continues', async () => {
  const { ingest, redis, stream } = pipeline;
  const writer = await pipeline.startWriter('writer-1');
  await post(`${ingest.url}/api/events`, { events: makeEvents(5) });
  await pipeline.stored(5);
  await pipeline.drained();
  await redis.del(stream);
  await post(`${ingest.url}/api/events`, { events: makeEvents(5) });
  await pipeline.stored(10);
  await pipeline.drained();
  expect((await redis.xinfo('GROUPS', stream)) as unknown[]).toHaveLength(1);
  const told = writer.log().filter((line) => line['level'] === 50 && String(line['msg']).startsWith('LOST'));
  expect(told).toHaveLength(1);
  expect((await readMetrics(writer.url)).get('sluice_writer_streams_lost_total')).toBe(1);
});

it('shards above a lowered STREAM_SHARDS are drained too', async () => {
  const { ingest, redis, namespace } = pipeline;
  await post(`${ingest.url}/api/events`, { events: makeEvents(5) });
  await pipeline.drained();
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
  await pipeline.stored(22);
  await pipeline.drained();
  expect(await redis.xlen(`${namespace}:{events:3}`)).toBe(0);
});
