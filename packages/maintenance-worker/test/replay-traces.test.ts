import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { decodeEntry } from '@sluice/stream/stream-entry';
import { startTracedOperations, type TracedOperations } from './fixtures/traced-operations.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const ORIGIN = `00-${TRACE}-b7ad6b7169203331-01`;
const REQUEST = '4bf92f3577b34da6a3ce929d0e0e4736';
const REPLAYS = '/api/dead-letters/replays';

const PATIENCE = { timeout: 180_000, interval: 20 };

let traced: TracedOperations;
beforeAll(async () => {
  traced = await startTracedOperations();
  await traced.operations.refusePoison();
  await traced.startWorker();
});
afterAll(() => traced.stop());

it('each dead letter is sent in a span that links to its origin, and the writer links to that span', async () => {
  const { seed, pipeline, replayIn } = traced.operations;
  const [fixed] = await seed(1, { traceparent: ORIGIN, event: { eventType: 'CellChange' } });
  const [unfixed] = await seed(1, { traceparent: ORIGIN });
  const [untraced] = await seed(1, { event: { eventType: 'CellChange' } });
  const { id } = await traced.request(
    REPLAYS,
    { filter: {}, rate_per_second: 10_000 },
    `00-${REQUEST}-00f067aa0ba902b7-01`,
  );
  const sends = await Promise.all(
    [fixed, unfixed, untraced].map((letter) => traced.span('send events', { 'sluice.dead_letter.id': letter })),
  );
  const origin = [{ traceId: TRACE, spanId: 'b7ad6b7169203331' }];
  expect(sends).toMatchObject([
    { kind: 'producer', links: origin, attributes: { 'messaging.batch.message_count': 1 } },
    { kind: 'producer', links: origin },
    { kind: 'producer', links: [] },
  ]);

  // The header keeps the trace context of the first request; the span that sent it again is beside it.
  const entries = (await pipeline.redis.xrangeBuffer(pipeline.stream, '-', '+')).map(([, fields]) =>
    decodeEntry(fields),
  );
  expect(entries.map(({ header }) => [header.traceparent, header.sentBy])).toEqual(
    sends.map((span, at) => [at === 2 ? null : ORIGIN, `00-${span.traceId}-${span.spanId}-01`]),
  );

  await pipeline.startWriter('writer-1', traced.env);
  await replayIn(String(id), 'succeeded');
  const run = await traced.span('replay dead letters', { 'sluice.replay.id': id });
  expect(run).toMatchObject({
    parentSpanId: null,
    links: [{ traceId: REQUEST }],
    status: 'unset',
    attributes: { 'sluice.replay.letters': 3, 'sluice.run.state': 'succeeded' },
  });
  expect(sends.map(({ traceId, parentSpanId }) => [traceId, parentSpanId])).toEqual(
    sends.map(() => [run.traceId, run.spanId]),
  );
  const linked = (spans: typeof traced.receiver.spans): string[] =>
    spans.filter(({ name }) => name === 'process events').flatMap(({ links }) => links.map(({ spanId }) => spanId));
  await traced.receiver.until(
    (spans) => sends.every(({ spanId }) => linked(spans).includes(spanId)),
    'a `process events` that links to each `send events`',
  );

  expect(await pipeline.database.query('SELECT DISTINCT trace_id FROM events ORDER BY 1')).toEqual([
    { trace_id: TRACE },
    { trace_id: null },
  ]);
  expect(
    await pipeline.database.query(
      `SELECT trace_id, origin->>'traceparent' AS traceparent FROM dead_letters WHERE replay_of = $1`,
      [unfixed],
    ),
  ).toEqual([{ trace_id: TRACE, traceparent: ORIGIN }]);
});

it('a replay of many dead letters has spans for the first ones, and none for its waiting', async () => {
  const { seed, pipeline, replayIn } = traced.operations;
  await pipeline.database.query('TRUNCATE dead_letters, replays, events, event_ids, sessions');
  await seed(1_200, { event: { eventType: 'CellChange' } });
  const { id } = await traced.request(REPLAYS, { filter: {}, rate_per_second: 10_000 });
  await replayIn(String(id), 'succeeded');
  const run = await traced.span('replay dead letters', { 'sluice.replay.id': id });
  expect(run.attributes['sluice.replay.letters']).toBe(1_200);
  const spans = traced.traceOf(run);
  expect(spans.filter(({ name }) => name === 'send events')).toHaveLength(500);
  expect(spans.length).toBeLessThan(810);
  // `send events` is the adding to the stream.
  expect(spans.map(({ name }) => name)).not.toContain('xadd');
});

it('a resumed replay links to the request that resumed it', async () => {
  const { pipeline, replayIn } = traced.operations;
  const id = await pausedReplay();
  await traced.request(`${REPLAYS}/${id}/resume`, undefined, `00-${REQUEST}-00f067aa0ba902b7-01`);
  await replayIn(id, 'succeeded');
  const run = await traced.span('replay dead letters', { 'sluice.replay.id': id, 'sluice.run.state': 'succeeded' });
  expect(run.links).toMatchObject([{ traceId: REQUEST }]);
  await pipeline.drained();
});

it('a worker that is woken for a replay with nothing to do makes no span', async () => {
  const { seed, pipeline, replayIn } = traced.operations;
  const id = await pausedReplay();
  await pipeline.drained();
  await vi.waitFor(async () => {
    expect(await pipeline.database.query("SELECT 1 FROM dead_letters WHERE state = 'replaying'")).toEqual([]);
  }, PATIENCE);
  await traced.request(`${REPLAYS}/${id}/cancel`);
  await replayIn(id, 'cancelled');
  const [letter] = await seed(1, { event: { eventType: 'CellChange' } });
  const next = await traced.request(REPLAYS, { ids: [letter], rate_per_second: 10 });
  await traced.span('replay dead letters', { 'sluice.replay.id': next['id'] });
  const states = traced
    .spans('replay dead letters')
    .filter((span) => span.attributes['sluice.replay.id'] === id)
    .map((span) => span.attributes['sluice.run.state']);
  expect(states).toEqual(['paused']);
});

/** A replay that was paused after its first dead letters, with its span already received. */
async function pausedReplay(): Promise<string> {
  const { seed, pipeline } = traced.operations;
  await pipeline.database.query('TRUNCATE dead_letters, replays, events, event_ids, sessions');
  await seed(40, { event: { eventType: 'CellChange' } });
  const { id } = await traced.request(REPLAYS, { filter: {}, rate_per_second: 20 });
  await vi.waitFor(async () => {
    expect(await pipeline.database.query('SELECT 1 FROM events')).not.toHaveLength(0);
  }, PATIENCE);
  await traced.request(`${REPLAYS}/${String(id)}/pause`);
  await traced.span('replay dead letters', { 'sluice.replay.id': id, 'sluice.run.state': 'paused' });
  return String(id);
}
