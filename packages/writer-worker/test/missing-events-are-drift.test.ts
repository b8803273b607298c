import { afterAll, beforeAll, expect, it } from 'vitest';
import { readConservation } from '@sluice/stream/conservation';
import { makeEvents } from '@sluice/testkit/make-event';
import { type Pipeline, startPipeline } from '@sluice/testkit/pipeline';
import { enqueue } from './fixtures/enqueue.ts';

let pipeline: Pipeline;
beforeAll(async () => {
  pipeline = await startPipeline({ ingest: false });
});
afterAll(() => pipeline.stop());

it('an entry with fewer events than ingest has acknowledged is stored, and shows as drift', async () => {
  await pipeline.startWriter('writer-1');
  await enqueue(pipeline, makeEvents(4));
  await pipeline.drained();
  expect(await readConservation(pipeline.redis, pipeline.stream)).toMatchObject({ events: 4, driftEvents: 0 });
  await enqueue(pipeline, makeEvents(2), { accepted: 3 });
  await pipeline.drained();
  expect(await readConservation(pipeline.redis, pipeline.stream)).toMatchObject({
    settled: 2,
    events: 7,
    stored: 6,
    driftEntries: 0,
    driftEvents: 1,
  });
});
