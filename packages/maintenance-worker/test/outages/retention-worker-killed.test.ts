import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { openDatabase, type Database } from '@sluice/store/database';
import { readFence } from '@sluice/store/fence/fence';
import type { Segment } from '@sluice/store/layout/segments';
import { type Operations, startOperations } from '@sluice/testkit/operations';
import { sealHotSegment } from '@sluice/testkit/seal-hot-segment';
import type { TestDaemon } from '@sluice/testkit/test-daemon';
import { expectExact, PATIENCE, storing } from '../fixtures/rolled-up.ts';

const DAY_MS = 24 * 60 * 60_000;
const daysAgo = (days: number): string => new Date(Date.now() - days * DAY_MS).toISOString();
/** Past the 90 days, with several batches of blocks. */
const OLD_EVENTS = 10_000;
/** In a segment that stays. */
const YOUNG_EVENTS = 300;
let old: Segment;

let operations: Operations;
let opened: Database;
let worker: TestDaemon;
beforeAll(async () => {
  operations = await startOperations({}, { ingest: false });
  opened = openDatabase({ url: database().url, poolSize: 2, statementTimeoutMs: 30_000, applicationName: 'test' });
  await query(storing(OLD_EVENTS, { storedAt: daysAgo(120) }));
  old = await sealHotSegment(opened);
  await query(storing(YOUNG_EVENTS, { storedAt: daysAgo(30) }));
  await sealHotSegment(opened);
  worker = await operations.startMaintenance();
  await vi.waitFor(async () => expect((await operations.ask('GET', '/api/jobs')).body.jobs).not.toEqual([]), PATIENCE);
  await vi.waitFor(async () => {
    await ended(await request('fold-rollups'));
    expect(await generations()).toEqual([{ generation: 1, state: 'live', events: OLD_EVENTS + YOUNG_EVENTS }]);
    // While an older transaction of another test is open, the fence has no floor, and a rebuild would be one step.
    expect(Date.parse((await readFence(opened.db)).floor)).toBeGreaterThan(Date.parse(daysAgo(20)));
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
    'WITH window_groups',
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

it('expire-segments: the next run continues after the cleared blocks, and removes nothing twice', async () => {
  // Of the last blocks alone.
  const [last] = await query(
    `SELECT date_trunc('hour', occurred_at, 'UTC') AS hour FROM ${old.relation} ORDER BY ctid DESC LIMIT 1`,
  );
  const killed = await killWhileWaiting(
    'expire-segments',
    'MERGE INTO "rollup_hours"',
    "SELECT FROM rollup_hours WHERE dimension = 'event_type' AND bucket = $1 FOR UPDATE",
    Object.values(last!),
  );
  const [interrupted] = await query('SELECT relation, events::int FROM expiring_segments');
  expect(interrupted!['relation']).toBe(old.relation);
  expect(await query(`SELECT state FROM segments WHERE relation = '${old.relation}'`)).toEqual([{ state: 'expiring' }]);
  const done = Number(interrupted!['events']);
  expect(done).toBeGreaterThan(0);
  expect(await ended(await request('expire-segments'))).toMatchObject({
    state: 'succeeded',
    rows: OLD_EVENTS - done,
    details: { dropped: [old.relation] },
  });
  expect(await ended(killed)).toMatchObject({ state: 'failed', rows: expect.any(Number) as number });
  expect(await query(`SELECT to_regclass('${old.relation}') AS name`)).toEqual([{ name: null }]);
  expect(await query(`SELECT FROM segments WHERE relation = '${old.relation}'`)).toEqual([]);
  expect(await query('SELECT count(*)::int FROM events')).toEqual([{ count: YOUNG_EVENTS }]);
  await expectExact({ database: database() });
});
