import { resolve } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { foldAll } from '@sluice/testkit/fold-all';
import { type Operations, startOperations } from '@sluice/testkit/operations';

const LETTERS = 2_000;

let operations: Operations;
beforeAll(async () => {
  operations = await startOperations({}, { ingest: false });
});
afterAll(() => operations.stop());
beforeEach(() =>
  operations.pipeline.database.query('TRUNCATE dead_letters, replays, audit_log, events, event_ids, sessions'),
);

const countOf = async (condition: string): Promise<number> => {
  const [row] = await operations.pipeline.database.query(`SELECT count(*)::int AS count FROM ${condition}`);
  return row?.['count'] as number;
};
const reaches = (condition: string, least: number) =>
  vi.waitFor(async () => expect(await countOf(condition), condition).toBeGreaterThanOrEqual(least), {
    timeout: 180_000,
    interval: 10,
  });

it('kill -9 of the maintenance worker in the middle: the next one finishes, each event stored once', async () => {
  const { pipeline, seed, ask, startMaintenance, replayIn } = operations;
  await seed(LETTERS, { event: { eventType: 'CellChange' } });
  const writer = await pipeline.startWriter('writer-1');
  const { id } = (await ask('POST', '/api/dead-letters/replays', { filter: {}, rate_per_second: 2_000 })).body;
  for (const share of [0.2, 0.5]) {
    const worker = await startMaintenance();
    await reaches("dead_letters WHERE state <> 'dead'", LETTERS * share);
    worker.kill('SIGKILL');
    await worker.exited;
    expect(await countOf("dead_letters WHERE state = 'dead'"), 'killed in the middle').toBeGreaterThan(0);
  }
  const last = await startMaintenance();
  expect(await replayIn(id, 'succeeded')).toMatchObject({
    matched: LETTERS,
    stored: LETTERS,
    failed: 0,
    skipped: 0,
    pending: 0,
  });
  await pipeline.drained();
  expect(await countOf('events')).toBe(LETTERS);
  expect(await countOf('(SELECT DISTINCT event_id FROM events)')).toBe(LETTERS);
  await foldAll(pipeline.database);
  const [sessions] = await pipeline.database.query('SELECT sum(event_count)::int AS counted FROM sessions');
  expect(sessions?.['counted']).toBe(LETTERS);
  await Promise.all([last.stop(), writer.stop()]);
});

it('a death between COMMIT and XADD: the next run enqueues what was marked', async () => {
  const { pipeline, seed, ask, startMaintenance, replayIn } = operations;
  const ids = await seed(10, { event: { eventType: 'CellChange' } });
  const { id } = (await ask('POST', '/api/dead-letters/replays', { filter: {} })).body;
  await pipeline.database.query("UPDATE dead_letters SET state = 'replaying', replay_id = $1 WHERE id = ANY($2)", [
    id,
    ids.slice(0, 4),
  ]);
  await pipeline.database.query(
    "UPDATE replays SET state = 'running', started_at = now(), last_id = $2 WHERE id = $1",
    [id, ids[3]],
  );
  const daemons = [await startMaintenance(), await pipeline.startWriter('writer-1')];
  expect(await replayIn(id, 'succeeded')).toMatchObject({ matched: 10, stored: 10, skipped: 0 });
  await Promise.all(daemons.map((daemon) => daemon.stop()));
});

it('an event that fails twice, because it was on the stream twice, is one new dead letter', async () => {
  const { pipeline, seed, ask, startMaintenance, replayIn, refusePoison } = operations;
  await refusePoison();
  await seed(5);
  const { id } = (await ask('POST', '/api/dead-letters/replays', { filter: {}, rate_per_second: 10_000 })).body;
  for (const copies of [5, 10]) {
    // No writer is there yet: each run finds nothing settled and enqueues all again.
    const worker = await startMaintenance();
    await vi.waitFor(async () => expect(await pipeline.redis.xlen(pipeline.stream)).toBe(copies), {
      timeout: 180_000,
      interval: 20,
    });
    worker.kill('SIGKILL');
    await worker.exited;
  }
  const writers = [await pipeline.startWriter('writer-1', { WRITER_BATCH_EVENTS: '1' }), await startMaintenance()];
  expect(await replayIn(id, 'succeeded')).toMatchObject({ matched: 5, failed: 5, replayed: 0 });
  await pipeline.drained();
  expect(await countOf("dead_letters WHERE state = 'dead' AND replay_of IS NOT NULL")).toBe(5);
  await pipeline.database.query('DROP TRIGGER refuse ON events');
  await Promise.all(writers.map((daemon) => daemon.stop()));
});

it('FLUSHALL removes the stream and the job: the dead letters are enqueued again and stored', async () => {
  const { pipeline, seed, ask, startMaintenance, replayIn } = operations;
  await seed(200, { event: { eventType: 'CellChange' } });
  const worker = await startMaintenance();
  const { id } = (await ask('POST', '/api/dead-letters/replays', { filter: {}, rate_per_second: 10_000 })).body;
  await vi.waitFor(async () => expect(await pipeline.redis.xlen(pipeline.stream)).toBe(200), {
    timeout: 180_000,
    interval: 20,
  });
  const keys = await pipeline.redis.keys(`*${pipeline.namespace}*`);
  await pipeline.redis.del(keys);
  const writer = await pipeline.startWriter('writer-1');
  expect(await replayIn(id, 'succeeded')).toMatchObject({ matched: 200, stored: 200 });
  expect(await countOf('events')).toBe(200);
  await Promise.all([worker.stop(), writer.stop()]);
});

it('an event that kills its reader becomes a new dead letter, and kills no more writers', async () => {
  const { pipeline, seed, ask, startMaintenance, replayIn } = operations;
  const [letter] = await seed(1, { event: { eventType: 'CellChange', note: 'deadly entry' } });
  const worker = await startMaintenance();
  const { id } = (await ask('POST', '/api/dead-letters/replays', { filter: {} })).body;
  const deadly = {
    NODE_OPTIONS: `--import ${resolve(import.meta.dirname, '../../../writer-worker/test/fixtures/die-of-marked-entries.ts')}`,
    DELIVERY_LIMIT: '1',
  };
  let deaths = 0;
  for (let alive = false; !alive;) {
    const writer = await pipeline.startWriter('writer-1', deadly).catch(() => null);
    const ended = replayIn(id, 'succeeded').then(() => true);
    alive = writer !== null && (await Promise.race([ended, writer.exited.then(() => false)]));
    ended.catch(() => {});
    if (alive) await writer?.stop();
    else deaths += 1;
    expect(deaths).toBeLessThan(6);
  }
  expect(deaths).toBeGreaterThan(0);
  expect(await replayIn(id, 'succeeded')).toMatchObject({ matched: 1, failed: 1, replayed: 0 });
  expect((await ask('GET', `/api/dead-letters/${letter}`)).body).toMatchObject({
    state: 'replayed',
    replay_result: 'failed',
    replays: [{ reason: 'kills_reader', state: 'dead' }],
  });
  await worker.stop();
});

it('a lost job is found in Postgres', async () => {
  const { pipeline, seed, ask, startMaintenance, replayIn } = operations;
  await seed(3, { event: { eventType: 'CellChange' } });
  const { id } = (await ask('POST', '/api/dead-letters/replays', { filter: {} })).body;
  await pipeline.redis.del(await pipeline.redis.keys(`{${pipeline.namespace}:jobs}*`));
  const daemons = [await pipeline.startWriter('writer-1'), await startMaintenance()];
  expect(await replayIn(id, 'succeeded')).toMatchObject({ stored: 3 });
  await Promise.all(daemons.map((daemon) => daemon.stop()));
});

it('dead letters of a cancelled replay that are on no stream are open again', async () => {
  const { pipeline, seed, ask, startMaintenance } = operations;
  const ids = await seed(6);
  const { id } = (await ask('POST', '/api/dead-letters/replays', { filter: {} })).body;
  await pipeline.database.query("UPDATE dead_letters SET state = 'replaying', replay_id = $1 WHERE id = ANY($2)", [
    id,
    ids,
  ]);
  await pipeline.database.query(
    "UPDATE replays SET state = 'running', started_at = now(), last_id = $2 WHERE id = $1",
    [id, ids[5]],
  );
  expect((await ask('POST', `/api/dead-letters/replays/${id}/cancel`)).status).toBe(200);
  const worker = await startMaintenance();
  await reaches("dead_letters WHERE state = 'dead' AND replay_id IS NULL", 6);
  await worker.stop();
});
