import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { get, post } from '@sluice/testkit/http';
import { makeEvents } from '@sluice/testkit/make-event';
import { type Pipeline, startPipeline } from '@sluice/testkit/pipeline';
import type { TestDaemon } from '@sluice/testkit/test-daemon';

let pipeline: Pipeline;
beforeEach(async () => {
  pipeline = await startPipeline();
});
afterEach(() => pipeline.stop());

async function stalledReason(writer: TestDaemon): Promise<{ code: string; kind: string } | null> {
  return (await get(`${writer.url}/health`)).body.details.consumer.stalled as { code: string; kind: string } | null;
}

async function expectStall(writer: TestDaemon, entries: number): Promise<void> {
  await expect.poll(() => stalledReason(writer), { timeout: 180_000 }).not.toBeNull();
  const ready = await get(`${writer.url}/ready`);
  expect(ready).toMatchObject({ status: 503, body: { ready: false, failed: ['consumer'] } });
  expect(writer.log().some((line) => line['level'] === 50 && String(line['msg']).startsWith('STALLED'))).toBe(true);
  expect(await pipeline.redis.xlen(pipeline.stream)).toBe(entries);
}

describe('what only an operator can fix stalls the writer, and is neither dropped nor acknowledged:', () => {
  it('events while no segment is hot (operator error), until one is', async () => {
    const { database, ingest, redis, stream } = pipeline;
    const writer = await pipeline.startWriter('writer-1');
    await expect.poll(async () => (await get(`${writer.url}/ready`)).status, { timeout: 180_000 }).toBe(200);
    const [hot] = await database.query<{ relation: string }>(
      "UPDATE segments SET state = 'closed' WHERE state = 'hot' RETURNING relation",
    );
    await post(`${ingest.url}/api/events`, { events: makeEvents(10) });
    await expectStall(writer, 1);
    expect(await stalledReason(writer)).toMatchObject({ kind: 'operator', code: 'SL000' });
    // Nothing more is fetched meanwhile, except by the read in progress.
    for (let more = 0; more < 5; more += 1) await post(`${ingest.url}/api/events`, { events: makeEvents(2) });
    const [pending] = (await redis.xpending(stream, 'writers')) as [number];
    expect(pending).toBeLessThanOrEqual(2);

    await database.query("UPDATE segments SET state = 'hot' WHERE relation = $1", [hot!.relation]);
    await pipeline.stored(20);
    await pipeline.drained();
    expect((await get(`${writer.url}/ready`)).status).toBe(200);
  });
});
