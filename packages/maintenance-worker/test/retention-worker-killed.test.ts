import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { openDatabase, type Database } from '@sluice/store/database';
import { readFence } from '@sluice/store/fence/fence';
import { makePartitions, type Partition, partitionOf } from '@sluice/store/layout/partitions';
import { type Operations, startOperations } from '@sluice/testkit/operations';
import type { TestDaemon } from '@sluice/testkit/test-daemon';
import { expectExact, PATIENCE, storing } from './fixtures/rolled-up.ts';

const DAY_MS = 24 * 60 * 60_000;
const weeksAgo = (weeks: number): Partition => partitionOf(new Date(Date.now() - weeks * 7 * DAY_MS));
/** One past the 90 days, with several batches of blocks, and one that stays. */
const [OLD, YOUNG] = [weeksAgo(20), weeksAgo(4)];
const OLD_EVENTS = 10_000;
const YOUNG_EVENTS = 300;

let operations: Operations;
let opened: Database;
let worker: TestDaemon;
beforeAll(async () => {
  operations = await startOperations();
  opened = openDatabase({ url: database().url, poolSize: 2, statementTimeoutMs: 30_000, applicationName: 'test' });
  for (const [partition, events] of [
    [OLD, OLD_EVENTS],
    [YOUNG, YOUNG_EVENTS],
  ] as const) {
    await makePartitions(opened, partition.from, 0);
    await query(storing(events, { storedAt: new Date(partition.from.getTime() + 3 * DAY_MS).toISOString() }));
  }
  worker = await operations.startMaintenance();
  await vi.waitFor(async () => expect((await operations.ask('GET', '/api/jobs')).body.jobs).not.toEqual([]), PATIENCE);
  await vi.waitFor(async () => {
    await ended(await request('fold-rollups'));
    expect(await generations()).toEqual([{ generation: 1, state: 'live', events: OLD_EVENTS + YOUNG_EVENTS }]);
    // While an older transaction of another test is open, the fence has no floor, and a rebuild would be one step.
    expect(Date.parse((await readFence(opened.db)).floor)).toBeGreaterThan(YOUNG.to.getTime());
  }, PATIENCE);
});
afterAll(async () => {
  await opened.close();
  await operations.stop();
});

const database = () => operations.pipeline.database;
const query = (text: string, values?: unknown[]) => database().query<Record<string, unknown>>(text, values);
const generations = () => query('SELECT generation, state, events::int FROM rollup_generations ORDER BY generation');

async function request(job: string): Promise<string> {
  return (await operations.ask('POST', `/api/jobs/${job}/runs`)).body.id as string;
}

/** Waits until a run has ended, and how. */
const ended = (id: string) =>
  vi.waitFor(async () => {
    const [run] = await query('SELECT state, error, rows::int, details FROM job_runs WHERE id = $1', [id]);
    expect(run!['state']).not.toMatch(/queued|running/);
    return run!;
  }, PATIENCE);

/** Kills the worker in the middle of a run that waits for the test's own lock, and starts the next. */
async function killWhileWaiting(job: string, statement: string, lock: string, values: unknown[]): Promise<string> {
  const blocker = await database().connect();
  await blocker.query('BEGIN');
  await blocker.query(lock, values);
  const id = await request(job);
  await vi.waitFor(async () => {
    const waiting = await query(
      `SELECT FROM pg_stat_activity
       WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE $1`,
      [`%${statement}%`],
    );
    expect(waiting).toHaveLength(1);
  }, PATIENCE);
  worker.kill('SIGKILL');
  await worker.exited;
  await blocker.end();
  worker = await operations.startMaintenance();
  return id;
}

it('rebuild-rollups: the next run continues after what was folded, and readers have the old ones until it ends', async () => {
  const [last] = await query(
    `SELECT tenant, dimension, bucket, value FROM rollup_hours WHERE dimension = 'event_type' ORDER BY bucket DESC LIMIT 1`,
  );
  const killed = await killWhileWaiting(
    'rebuild-rollups',
    'INSERT INTO "rollup_hours"',
    'INSERT INTO rollup_hours (generation, tenant, dimension, bucket, value, events) VALUES (2, $1, $2, $3, $4, 1)',
    Object.values(last!),
  );
  expect(await generations()).toEqual([
    { generation: 1, state: 'live', events: OLD_EVENTS + YOUNG_EVENTS },
    { generation: 2, state: 'building', events: OLD_EVENTS },
  ]);
  expect(await ended(await request('rebuild-rollups'))).toMatchObject({
    state: 'succeeded',
    rows: OLD_EVENTS + YOUNG_EVENTS,
  });
  expect(await ended(killed)).toMatchObject({
    state: 'failed',
    error: 'the worker died, or lost its connection to PostgreSQL',
  });
  expect((await generations()).at(-1)).toEqual({ generation: 2, state: 'live', events: OLD_EVENTS + YOUNG_EVENTS });
  await expectExact({ database: database() });
});

it('expire-partitions: the next run continues after the cleared blocks, and removes nothing twice', async () => {
  const [last] = await query(`SELECT event_id FROM ${OLD.name} ORDER BY ctid DESC LIMIT 1`);
  const killed = await killWhileWaiting(
    'expire-partitions',
    'DELETE FROM event_ids',
    'SELECT FROM event_ids WHERE event_id = $1 FOR UPDATE',
    Object.values(last!),
  );
  const [interrupted] = await query('SELECT name, events::int FROM expiring_partitions');
  expect(interrupted!['name']).toBe(OLD.name);
  const done = Number(interrupted!['events']);
  expect(done).toBeGreaterThan(0);
  expect(await ended(await request('expire-partitions'))).toMatchObject({
    state: 'succeeded',
    rows: OLD_EVENTS - done,
    details: { dropped: [OLD.name] },
  });
  expect(await ended(killed)).toMatchObject({ state: 'failed', rows: expect.any(Number) as number });
  expect(await query(`SELECT to_regclass('${OLD.name}') AS name`)).toEqual([{ name: null }]);
  expect(await query('SELECT count(*)::int FROM event_ids')).toEqual([{ count: YOUNG_EVENTS }]);
  await expectExact({ database: database() });
});
