import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { foldAll } from '@sluice/testkit/fold-all';
import { makeEvents } from '@sluice/testkit/make-event';
import { type Operations, startOperations } from '@sluice/testkit/operations';
import type { TestDaemon } from '@sluice/testkit/test-daemon';

let operations: Operations;
let worker: TestDaemon;
beforeAll(async () => {
  operations = await startOperations();
  await operations.refusePoison();
  [, worker] = await Promise.all([operations.pipeline.startWriter('writer-1'), operations.startMaintenance()]);
});
afterAll(() => operations.stop());
beforeEach(() =>
  operations.pipeline.database.query('TRUNCATE dead_letters, replays, audit_log, events, event_ids, sessions'),
);

const replay = async (body: object) => {
  const { pipeline, ask, replayIn } = operations;
  const answer = await ask('POST', '/api/dead-letters/replays', { rate_per_second: 10_000, ...body });
  expect(answer.status, JSON.stringify(answer.body)).toBe(202);
  const ended = await replayIn(answer.body.id, 'succeeded');
  await pipeline.drained();
  return ended;
};
const numbers = async () => {
  await foldAll(operations.pipeline.database);
  const [row] = await operations.pipeline.database.query(
    `SELECT (SELECT count(*)::int FROM events) AS events, (SELECT count(DISTINCT event_id)::int FROM events) AS ids,
            (SELECT coalesce(sum(event_count), 0)::int FROM sessions) AS in_sessions`,
  );
  return row;
};

it('stores a fixed event: poison, dead letter, PATCH, replay, stored under the original id', async () => {
  const { pipeline, ask } = operations;
  const events = makeEvents(50);
  events[7] = { ...events[7], eventType: 'Poison' };
  const sent = await fetch(`${pipeline.ingest.url}/api/events`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    },
    body: JSON.stringify({ events }),
  });
  expect(sent.status).toBe(202);
  await pipeline.stored(49);
  await pipeline.drained();

  const [letter] = (await ask('GET', '/api/dead-letters')).body.dead_letters;
  expect(letter).toMatchObject({ event_id: events[7]['eventId'], event_type: 'Poison', state: 'dead' });
  const fixed = await ask('PATCH', `/api/dead-letters/${letter.id}`, {
    payload: { ...events[7], eventType: 'CellChange' },
    reason: 'typing error',
  });
  expect(fixed.status, JSON.stringify(fixed.body)).toBe(200);

  expect(await replay({ ids: [letter.id] })).toMatchObject({
    matched: 1,
    replayed: 1,
    stored: 1,
    failed: 0,
    skipped: 0,
  });
  expect(await numbers()).toEqual({ events: 50, ids: 50, in_sessions: 50 });
  const [stored] = await pipeline.database.query(
    'SELECT event_type, trace_id, client_ip FROM events WHERE event_id = $1',
    [events[7]['eventId']],
  );
  expect(stored).toEqual({
    event_type: 'CellChange',
    trace_id: '0af7651916cd43dd8448eb211c80319c',
    client_ip: '127.0.0.1',
  });
  const after = (await ask('GET', `/api/dead-letters/${letter.id}`)).body;
  expect(after).toMatchObject({ state: 'replayed', replay_result: 'stored', original_payload: events[7] });
});

it('keeps ids that were derived from batch and index', async () => {
  const { pipeline } = operations;
  const events = makeEvents(5).map((event, at) => ({
    ...event,
    eventId: undefined,
    eventType: at === 3 ? 'Poison' : 'CellChange',
  }));
  await operations.ask('GET', '/api/dead-letters');
  await fetch(`${pipeline.ingest.url}/api/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ events }),
  });
  await pipeline.stored(4);
  await pipeline.drained();
  const [before] = await pipeline.database.query('SELECT event_id FROM dead_letters');
  await pipeline.database.query('ALTER TABLE events DISABLE TRIGGER refuse');
  try {
    expect(await replay({ filter: {} })).toMatchObject({ stored: 1 });
  } finally {
    await pipeline.database.query('ALTER TABLE events ENABLE TRIGGER refuse');
  }
  expect(await pipeline.database.query("SELECT event_id FROM events WHERE event_type = 'Poison'")).toEqual([before]);
});

it('twice stores once: a replay of a stored event is a duplicate, and counts no session twice', async () => {
  const { pipeline, seed } = operations;
  await seed(20, { event: { eventType: 'CellChange' } });
  expect(await replay({ filter: {} })).toMatchObject({ matched: 20, stored: 20 });
  // As if the dead letters had never been settled: the same events come again.
  await pipeline.database.query("UPDATE dead_letters SET state = 'dead', replay_id = NULL, replay_result = NULL");
  expect(await replay({ filter: {} })).toMatchObject({ matched: 20, stored: 0, duplicates: 20, replayed: 20 });
  expect(await numbers()).toEqual({ events: 20, ids: 20, in_sessions: 20 });
});

it('does not loop: an event that fails again is one new dead letter, above the frozen upper id', async () => {
  const { seed, ask, pipeline } = operations;
  const ids = await seed(30);
  // Slow enough that the first ones have failed again while the last ones are still to be taken.
  expect(await replay({ filter: {}, rate_per_second: 60 })).toMatchObject({
    state: 'succeeded',
    matched: 30,
    replayed: 0,
    failed: 30,
  });
  const states = await pipeline.database.query(
    'SELECT state, count(*)::int, count(replay_of)::int AS of FROM dead_letters GROUP BY state ORDER BY state',
  );
  expect(states).toEqual([
    { state: 'dead', count: 30, of: 30 },
    { state: 'replayed', count: 30, of: 0 },
  ]);
  const old = (await ask('GET', `/api/dead-letters/${ids[0]}`)).body;
  expect(old).toMatchObject({
    replay_result: 'failed',
    replays: [{ reason: 'invalid_value', message: 'poisoned', state: 'dead' }],
  });
  expect((await ask('GET', `/api/dead-letters/${old.replays[0].id}`)).body).toMatchObject({
    replay_of: ids[0],
    event_id: old.event_id,
  });
});

it('the audit log says what became of it, also when everything failed again', async () => {
  const { seed, pipeline } = operations;
  await seed(2, { event: { eventType: 'Poison' } });
  const failed = await replay({ filter: {}, reason: 'second try' });
  expect(failed).toMatchObject({ state: 'succeeded', stored: 0, failed: 2 });
  await seed(2, { event: { eventType: 'CellChange' } });
  const mixed = await replay({ filter: {} });
  expect(mixed).toMatchObject({ stored: 2, failed: 2 });
  const entries = await pipeline.database.query<{ details: unknown }>(
    "SELECT actor, affected::int, reason, details FROM audit_log WHERE action = 'replays.end' ORDER BY id",
  );
  const outcome = { state: 'succeeded', duplicates: 0, failed: 2, skipped: 0 };
  expect(entries).toMatchObject([
    {
      affected: 0,
      reason: 'second try',
      details: { ...outcome, replay_id: failed.id, outcome: 'none_stored', matched: 2 },
    },
    { affected: 2, reason: null, details: { ...outcome, replay_id: mixed.id, outcome: 'some_failed', stored: 2 } },
  ]);
  // The worker logs after the COMMIT that the replay's state is read from.
  await vi.waitFor(
    () =>
      expect(
        worker.log().findLast((line) => line['replay'] === mixed.id && line['outcome'] !== undefined),
      ).toMatchObject({ outcome: 'some_failed', failed: 2 }),
    { timeout: 180_000, interval: 20 },
  );
});

it('skips unreadable entries; they stay open', async () => {
  const { seed, pipeline } = operations;
  await seed(3, { event: { eventType: 'CellChange' } });
  await pipeline.redis.xadd(pipeline.stream, '*', 'v', '1', 'h', 'garbage', 'b', '{}');
  await vi.waitFor(
    async () =>
      expect(await pipeline.database.query('SELECT id FROM dead_letters WHERE entry_index = -1')).toHaveLength(1),
    { timeout: 180_000, interval: 20 },
  );
  expect(await replay({ filter: {} })).toMatchObject({ matched: 4, stored: 3, skipped: 1 });
  expect(await pipeline.database.query("SELECT reason FROM dead_letters WHERE state = 'dead'")).toEqual([
    { reason: 'malformed_header' },
  ]);
});

/** State in which the worker last let a replay rest, by its log. */
const rests = (id: string): unknown =>
  worker.log().findLast((line) => line['replay'] === id && line['msg'] === 'replay ended or paused')?.['state'];

/** Dead letters a second, of four hundred: a replay that takes longer than any request. */
const SLOW = 4;

describe('an operator controls a replay:', () => {
  it('pause takes effect long before the end, resume continues to the end, each event stored once', async () => {
    const { seed, ask, replayIn, pipeline } = operations;
    await seed(400, { event: { eventType: 'CellChange' } });
    const { id } = (await ask('POST', '/api/dead-letters/replays', { filter: {}, rate_per_second: SLOW })).body;
    await vi.waitFor(async () => expect((await numbers())?.['events']).toBeGreaterThan(0), {
      timeout: 180_000,
      interval: 20,
    });
    expect((await ask('POST', `/api/dead-letters/replays/${id}/pause`)).body.state).toBe('paused');
    await vi.waitFor(() => expect(rests(id)).toBe('paused'), { timeout: 180_000, interval: 10 });
    await pipeline.drained();
    const [left] = await pipeline.database.query("SELECT count(*)::int AS dead FROM dead_letters WHERE state = 'dead'");
    expect(left?.['dead']).toBeGreaterThan(0);
    expect((await numbers())?.['events']).toBe(400 - (left?.['dead'] as number));
    await pipeline.database.query('UPDATE replays SET rate_per_second = 10000 WHERE id = $1', [id]);
    expect((await ask('POST', `/api/dead-letters/replays/${id}/resume`, {})).status).toBe(200);
    expect(await replayIn(id, 'succeeded')).toMatchObject({ matched: 400, stored: 400 });
    expect(await numbers()).toEqual({ events: 400, ids: 400, in_sessions: 400 });
  });

  it('cancel leaves the rest open and loses nothing', async () => {
    const { seed, ask, replayIn, pipeline } = operations;
    await seed(400, { event: { eventType: 'CellChange' } });
    const { id } = (await ask('POST', '/api/dead-letters/replays', { filter: {}, rate_per_second: SLOW })).body;
    await vi.waitFor(async () => expect((await numbers())?.['events']).toBeGreaterThan(0), {
      timeout: 180_000,
      interval: 20,
    });
    await ask('POST', `/api/dead-letters/replays/${id}/cancel`, {});
    await replayIn(id, 'cancelled');
    await pipeline.drained();
    await vi.waitFor(
      async () =>
        expect(await pipeline.database.query("SELECT 1 FROM dead_letters WHERE state = 'replaying'")).toEqual([]),
      { timeout: 180_000, interval: 20 },
    );
    const [left] = await pipeline.database.query("SELECT count(*)::int AS dead FROM dead_letters WHERE state = 'dead'");
    const stored = (await numbers())?.['events'] as number;
    expect(stored).toBeLessThan(400);
    expect(stored + (left?.['dead'] as number)).toBe(400);
    expect((await ask('POST', `/api/dead-letters/replays/${id}/resume`, {})).status).toBe(409);
  });
});

it('is no faster than its rate', async () => {
  const { seed, ask, replayIn } = operations;
  await seed(60, { event: { eventType: 'CellChange' } });
  const startedAt = performance.now();
  const { id } = (await ask('POST', '/api/dead-letters/replays', { filter: {}, rate_per_second: 40 })).body;
  await replayIn(id, 'succeeded');
  // Six steps of ten, a quarter of a second apart; the last one is not waited for.
  expect(performance.now() - startedAt).toBeGreaterThan(1_200);
});
