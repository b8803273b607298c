import { randomUUID } from 'node:crypto';
import type { Client } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { APPLICATION_NAMES } from '@sluice/store/application-names';
import { openDatabase, type Database } from '@sluice/store/database';
import { listSegments, type Segment } from '@sluice/store/layout/segments';
import { inTransaction } from '@sluice/store/transaction';
import { enterSegment } from '@sluice/store/write/enter-segment';
import { insertEvents } from '@sluice/store/write/event-statements';
import { type Operations, startOperations } from '@sluice/testkit/operations';
import { rotateHotSegment } from '@sluice/testkit/seal-hot-segment';
import type { TestDaemon } from '@sluice/testkit/test-daemon';
import { PATIENCE } from '../fixtures/rolled-up.ts';

/** Events that fill a segment here. */
const SEGMENT_EVENTS = 1_000;

let operations: Operations;
let opened: Database;
let worker: TestDaemon;
beforeAll(async () => {
  operations = await startOperations();
  opened = openDatabase({ url: database().url, poolSize: 4, statementTimeoutMs: 60_000, applicationName: 'test' });
  worker = await start();
  await vi.waitFor(async () => expect((await operations.ask('GET', '/api/jobs')).body.jobs).not.toEqual([]), PATIENCE);
});
afterAll(async () => {
  await opened.close();
  await operations.stop();
});

const database = () => operations.pipeline.database;
const start = () => operations.startMaintenance({ SEGMENT_EVENTS: String(SEGMENT_EVENTS) });
const query = (text: string) => database().query<Record<string, unknown>>(text);
const segments = () => listSegments(opened.db);
const hot = async (): Promise<string> => (await segments()).find(({ state }) => state === 'hot')!.relation;

/** Ids that were stored, each acknowledged by its COMMIT. */
const ids = new Set<string>();

/** Stores new events, and a few that are there already, as a writer does on its slow way. */
async function store(count: number): Promise<void> {
  const again = [...ids].slice(0, 5);
  const fresh = Array.from({ length: count }, () => randomUUID());
  await inTransaction(opened, async (db) => {
    const events = [...again, ...fresh].map((eventId) => ({ ...EVENT, eventId }));
    await insertEvents(events, await enterSegment(db)).execute(db);
  });
  for (const id of fresh) ids.add(id);
}

const EVENT = {
  tenant: 'default',
  eventType: 'CellChange',
  occurredAt: '2026-01-31T09:30:00.000Z',
  receivedAt: '2026-01-31T09:30:00.000Z',
  actor: 'ada',
  sessionId: 'a',
  correlationId: null,
  resource: null,
  clientIp: null,
  traceId: null,
  source: 'governance-tracker',
  flags: null,
  payload: '{}',
};

/** Nothing was lost and nothing doubled. */
async function expectAll(): Promise<void> {
  const [found] = await query('SELECT count(*)::int AS events, count(DISTINCT event_id)::int AS ids FROM events');
  expect(found).toEqual({ events: ids.size, ids: ids.size });
}

async function request(job: string, input?: object): Promise<string> {
  const { status, body } = await operations.ask('POST', `/api/jobs/${job}/runs`, input);
  expect(status).toBe(202);
  return body.id as string;
}

/** Runs a job, and waits until it has succeeded. */
async function run(job: string, input?: object): Promise<Record<string, unknown>> {
  const id = await request(job, input);
  return vi.waitFor(async () => {
    const [found] = await database().query<Record<string, unknown>>(
      'SELECT state, error, rows::int, details FROM job_runs WHERE id = $1',
      [id],
    );
    expect(found!['state']).not.toMatch(/queued|running/);
    expect(found).toMatchObject({ state: 'succeeded' });
    return found!;
  }, PATIENCE);
}

/** Waits until the worker waits for a lock in a statement. */
const waiting = (statement: string): Promise<void> =>
  vi.waitFor(
    async () => {
      const rows = await database().query(
        `SELECT FROM pg_stat_activity
       WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE $1`,
        [`%${statement}%`],
      );
      expect(rows.length).toBeGreaterThan(0);
    },
    { ...PATIENCE, interval: 5 },
  );

/** Waits until a statement of the worker runs. */
const running = (statement: string): Promise<void> =>
  vi.waitFor(async () => {
    const rows = await database().query(
      `SELECT FROM pg_stat_activity
       WHERE datname = current_database() AND application_name = $2 AND state = 'active' AND query LIKE $1`,
      [`${statement}%`, APPLICATION_NAMES.maintenance],
    );
    expect(rows.length).toBeGreaterThan(0);
  }, PATIENCE);

/**
 * Waits until no statement of the dead worker runs: what it waited for must not let it finish. The server ends them, by
 * the time-out of a lock or because the client is gone.
 */
const ended = (): Promise<void> =>
  vi.waitFor(async () => {
    const rows = await database().query(
      'SELECT query FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1',
      [APPLICATION_NAMES.maintenance],
    );
    expect(rows).toEqual([]);
  }, PATIENCE);

/** Begins a job, kills the worker once it is where it should die, stores more, and starts the next worker. */
async function killIn(
  job: string,
  there: () => Promise<unknown>,
  { input, lock }: { input?: object; lock?: string } = {},
): Promise<void> {
  const blocker: Client = await database().connect();
  await blocker.query('BEGIN');
  if (lock !== undefined) await blocker.query(lock);
  await request(job, input);
  await there();
  worker.kill('SIGKILL');
  await worker.exited;
  await ended();
  await blocker.end();
  await store(20);
  worker = await start();
}

beforeEach(async () => {
  await run('rotate-segments');
  await run('seal-segments');
});

describe('kill -9 while the next segment is made', () => {
  it.each([
    ['before its table', 'CREATE TABLE', (next: string) => `CREATE TABLE ${next} (x int)`],
    ['before it is attached', 'ATTACH PARTITION', () => 'LOCK TABLE ONLY events IN SHARE UPDATE EXCLUSIVE MODE'],
    [
      'before it is noted',
      'INSERT INTO segments',
      (next: string) =>
        `INSERT INTO segments (relation, segment_from, segment_to, state) VALUES ('${next}', 0, 0, 'closed')`,
    ],
  ])('%s', async (_, statement, lock) => {
    const next = (await segments()).find(({ state }) => state === 'next')!;
    await query(`DELETE FROM segments WHERE state = 'next'; DROP TABLE ${next.relation}`);
    await killIn('rotate-segments', () => waiting(statement), { lock: lock(next.relation) });
    await run('rotate-segments');
    expect((await segments()).filter(({ state }) => state === 'next')).toEqual([next]);
    await expectAll();
  });
});

describe('kill -9 while a segment is rotated', () => {
  it.each([
    ['before it has the lock', 'pg_advisory_xact_lock', 'SELECT sluice_hot_segment()'],
    ['before it is closed', 'closed_at = clock_timestamp()', "SELECT FROM segments WHERE state = 'hot' FOR UPDATE"],
    [
      'before the next one is hot',
      'hot_at = clock_timestamp()',
      "SELECT FROM segments WHERE state = 'next' FOR UPDATE",
    ],
  ])('%s', async (_, statement, lock) => {
    const full = await hot();
    await store(SEGMENT_EVENTS + 100);
    await query(`ANALYZE ${full}`);
    await killIn('rotate-segments', () => waiting(statement), { lock });
    expect(await hot()).toBe(full);
    const { details } = await run('rotate-segments');
    expect(details).toMatchObject({ closed: [full] });
    expect((await segments()).map(({ state }) => state).slice(-3)).toEqual(['closed', 'hot', 'next']);
    await store(10);
    await expectAll();
  });
});

/** Closes the hot segment. @returns its name and how many events it has */
async function close(): Promise<{ relation: string; rows: number }> {
  const { relation } = await rotateHotSegment(opened);
  const [found] = await query(`SELECT count(*)::int AS rows FROM ${relation}`);
  return { relation, rows: Number(found!['rows']) };
}

/** Seals after a kill, and expects that everything was done: indexes, bounds, and every row frozen. */
async function expectSealing({ relation, rows }: { relation: string; rows: number }): Promise<void> {
  const found = async () => (await segments()).find((each) => each.relation === relation);
  expect(await found()).toMatchObject({ state: 'closed', rows: null });
  const { details } = await run('seal-segments');
  expect(details).toEqual({ sealed: [relation] });
  expect(await found()).toMatchObject({ state: 'sealed', rows });
  expect(
    await query(`SELECT count(*)::int AS indexes, bool_and(indisvalid) AS valid FROM pg_index
                 WHERE indrelid = '${relation}'::regclass`),
  ).toEqual([{ indexes: 8, valid: true }]);
  expect(await query(`SELECT relallvisible = relpages AS frozen FROM pg_class WHERE relname = '${relation}'`)).toEqual([
    { frozen: true },
  ]);
  await expectAll();
}

describe('kill -9 while a segment is sealed', () => {
  it.each([
    ['in the first index', 'CREATE INDEX', (closed: string) => `LOCK TABLE ${closed} IN ROW EXCLUSIVE MODE`],
    ['in the last index', 'CREATE INDEX', (closed: string) => `CREATE TABLE ${closed}_correlation_id (x int)`],
  ])('%s', async (_, statement, lock) => {
    await store(50);
    const closed = await close();
    await killIn('seal-segments', () => waiting(statement), { lock: lock(closed.relation) });
    await expectSealing(closed);
  });

  it('in VACUUM', async () => {
    await store(800);
    const closed = await close();
    const [row] = await query('SELECT current_database() AS name');
    const slow = async (change: (name: string) => string): Promise<void> => {
      for (const name of ['vacuum_cost_delay', 'vacuum_cost_limit'])
        await query(`ALTER DATABASE ${String(row!['name'])} ${change(name)}`);
    };
    // A page takes a tenth of a second or more, in connections that are opened from now on.
    await slow((name) => (name === 'vacuum_cost_delay' ? `SET ${name} = '100ms'` : `SET ${name} = 1`));
    await worker.stop();
    worker = await start();
    await killIn('seal-segments', async () => {
      await running('VACUUM');
      await slow((name) => `RESET ${name}`);
    });
    await expectSealing(closed);
  });

  it('before it is noted', async () => {
    await store(50);
    const closed = await close();
    await query(`CREATE FUNCTION wait_here() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        PERFORM pg_advisory_xact_lock(4711);
        RETURN NEW;
      END $$`);
    await query(`CREATE TRIGGER wait_here BEFORE UPDATE ON segments FOR EACH ROW
                 WHEN (NEW.state = 'sealed' AND OLD.state = 'closed') EXECUTE FUNCTION wait_here()`);
    await killIn('seal-segments', () => waiting("state = 'sealed'"), { lock: 'SELECT pg_advisory_xact_lock(4711)' });
    await query('DROP TRIGGER wait_here ON segments; DROP FUNCTION wait_here()');
    await expectSealing(closed);
  });
});

describe('kill -9 while segments are merged', () => {
  const input = { more_than: 10 };
  beforeEach(async () => {
    for (let count = 0; count < 10; count += 1) {
      await store(10);
      await rotateHotSegment(opened);
    }
    await run('seal-segments');
  });

  it.each([
    ['before the copy is there', 'CREATE TABLE events_copy', () => 'CREATE TABLE events_copy (x int)'],
    // Of the ten that are merged, whichever these are, the last index has one of these names.
    [
      'in the last index',
      'INDEX',
      (sealed: Segment[]) =>
        sealed
          .slice(0, -9)
          .map(({ from }, at) => `CREATE TABLE events_s${from}_${sealed[at + 9]!.to - 1}_correlation_id (x int)`)
          .join('; '),
    ],
    ['before the swap', 'LOCK TABLE ONLY', () => 'LOCK TABLE events IN ACCESS SHARE MODE'],
  ])('%s', async (_, statement, lock) => {
    const before = await segments();
    const sealed = before.filter(({ state }) => state === 'sealed');
    await killIn('merge-segments', () => waiting(statement), { input, lock: lock(sealed) });
    // Nobody has noticed.
    await expectAll();
    expect(await segments()).toEqual(before);

    const { details } = await run('merge-segments', input);
    const { merged, waiting: isWaiting } = details as { merged: string[]; waiting: boolean };
    expect(isWaiting).toBe(false);
    expect(merged.length).toBeGreaterThan(0);
    for (const relation of merged) expect(relation).toMatch(/^events_s\d+_\d+$/);
    // Ten neighbours became one, each time.
    expect(await segments()).toHaveLength(before.length - 9 * merged.length);
    expect(await query("SELECT to_regclass('events_copy') AS copy")).toEqual([{ copy: null }]);
    await store(10);
    await expectAll();
  });
});
