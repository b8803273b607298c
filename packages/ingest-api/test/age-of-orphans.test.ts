import { afterAll, beforeAll, expect, it } from 'vitest';
import { createGroup } from '@sluice/stream/consumer-group';
import { post } from '@sluice/testkit/http';
import { makeEvents } from '@sluice/testkit/make-event';
import { type Pipeline, startPipeline } from '@sluice/testkit/pipeline';

let pipeline: Pipeline;
beforeAll(async () => {
  pipeline = await startPipeline({ env: { QUEUE_MAX_AGE_SECONDS: '60' } });
});
afterAll(() => pipeline.stop());

it('an old entry that no writer can see does not make ingest refuse', async () => {
  const { ingest, redis, stream } = pipeline;
  const status = async (): Promise<number> =>
    (await post(`${ingest.url}/api/events`, { events: makeEvents(1) })).status;
  // Added an hour ago, and not read yet.
  await createGroup(redis, stream);
  await redis.xadd(stream, `${Date.now() - 3_600_000}-0`, 'v', '1');
  await expect.poll(status, { timeout: 60_000 }).toBe(429);
  await redis.xreadgroup('GROUP', 'writers', 'gone', 'COUNT', 1, 'STREAMS', stream, '>');
  await redis.xgroup('DELCONSUMER', stream, 'writers', 'gone');
  await expect.poll(status, { timeout: 60_000 }).toBe(202);
});
