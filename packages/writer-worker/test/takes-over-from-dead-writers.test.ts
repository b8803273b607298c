import { afterAll, beforeAll, expect, it } from 'vitest';
import { createGroup } from '@sluice/stream/consumer-group';
import { post } from '@sluice/testkit/http';
import { makeEvents } from '@sluice/testkit/make-event';
import { type Pipeline, startPipeline } from '@sluice/testkit/pipeline';
import type { TestDaemon } from '@sluice/testkit/test-daemon';

let pipeline: Pipeline;
let writer: TestDaemon;
beforeAll(async () => {
  pipeline = await startPipeline();
});
afterAll(() => pipeline.stop());

it('entries that another writer read and never acknowledged are taken over and stored', async () => {
  const { ingest, redis, stream, database } = pipeline;
  await createGroup(redis, stream);
  for (let batch = 0; batch < 150; batch += 1) await post(`${ingest.url}/api/events`, { events: makeEvents(2) });
  await redis.xreadgroup('GROUP', 'writers', 'gone', 'COUNT', 1_000, 'STREAMS', stream, '>');
  writer = await pipeline.startWriter('writer-1', { RECLAIM_IDLE_MS: '200' });
  await pipeline.drained();
  expect(await database.query('SELECT count(*)::int AS events FROM events')).toEqual([{ events: 300 }]);
  expect(writer.log().some((line) => line['msg'] === 'took over entries of another writer')).toBe(true);
});

it('entries that were deleted before they were stored are reported as lost', async () => {
  const { redis, stream } = pipeline;
  await writer.stop();
  const other = await pipeline.startWriter('writer-2', { RECLAIM_IDLE_MS: '100' });
  // Read and deleted in one go, so that no writer can be faster.
  const steal = `local r = redis.call('XREADGROUP', 'GROUP', 'writers', 'gone', 'COUNT', 1, 'STREAMS', KEYS[1], '>')
    if not r then return nil end
    redis.call('XDEL', KEYS[1], r[1][2][1][1])
    return r[1][2][1][1]`;
  let stolen: unknown = null;
  while (stolen === null) {
    await redis.xadd(
      stream,
      '*',
      'v',
      '1',
      'h',
      '{"s":"web-collection","t":"t","i":"0b3f6a52-6d0e-4c57-9a38-5f0d7a1c9e11","n":1,"r":"2026-01-31T09:30:00.000Z"}',
      'b',
      '{}',
    );
    stolen = await redis.eval(steal, 1, stream);
  }
  await expect
    .poll(() => other.log().flatMap((line) => (String(line['msg']).startsWith('LOST') ? line['lost'] : [])), {
      timeout: 180_000,
    })
    .toContain(stolen);
});
