import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { PROJECTIONS } from '@sluice/projections/all-projections';
import { dropRetired } from '@sluice/projections/fold/drop-retired';
import { foldedOf } from '@sluice/projections/fold/folded-of';
import { rebuildFolded } from '@sluice/projections/fold/rebuild';
import { openDatabase } from '@sluice/store/database';
import { inTransaction } from '@sluice/store/transaction';
import { foldRollupsJob } from '../src/jobs/fold-rollups.ts';
import type { JobContext } from '../src/jobs/job.ts';
import { rebuildRollupsJob } from '../src/jobs/rebuild-rollups.ts';
import { UNSTORED_COLUMNS, unstoreEvents } from '../src/retention/unstore-events.ts';
import {
  beginLive,
  expectExact,
  foldLiveOnce,
  PATIENCE,
  type RolledUp,
  startRolledUp,
  storing,
} from './fixtures/rolled-up.ts';

let rig: RolledUp;
beforeAll(async () => {
  rig = await startRolledUp();
});
afterAll(() => rig.stop());
beforeEach(() =>
  rig.database.query('TRUNCATE events, sessions, rollup_hours, rollup_days, rollup_weeks, rollup_generations'),
);

const generations = () =>
  rig.database.query<{ generation: number; state: string; events: number }>(
    'SELECT generation, state, events::int FROM rollup_generations ORDER BY generation',
  );

/** All events by the contract of docs/decisions/0010-rollups.md: what is rolled up, and the tail. */
async function readTotal(): Promise<number> {
  const client = await rig.database.connect();
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
  const live = await client.query<{ generation: number; tx: string; floor: string }>(
    "SELECT generation, tx::text, floor::text FROM rollup_generations WHERE state = 'live'",
  );
  const { generation, tx, floor } = live.rows[0]!;
  const { rows } = await client.query<{ total: number }>(
    `SELECT (SELECT coalesce(sum(events), 0) FROM rollup_days WHERE generation = $1 AND dimension = 'event_type')::int
          + (SELECT count(*) FROM events WHERE stored_at >= $2::timestamptz AND tx >= $3::xid8)::int AS total`,
    [generation, floor, tx],
  );
  await client.end();
  return rows[0]!.total;
}

describe('folding', () => {
  it('counts by hour, day and week, tenant by tenant, without nulls', async () => {
    await rig.store(500);
    await rig.store(300, { tenant: 'umbrella', actor: 'NULL' });
    await rig.foldUntil(800);
    await expectExact(rig);
    expect(
      await rig.database.query("SELECT FROM rollup_days WHERE tenant = 'umbrella' AND dimension = 'actor'"),
    ).toEqual([]);
    // Nothing new: nothing is counted again.
    await foldLiveOnce(rig.opened);
    await expectExact(rig);
  });

  it('adds later events, also to hours of long ago', async () => {
    await rig.store(200);
    await rig.foldUntil(200);
    await rig.store(200);
    await rig.store(100, { occurredHours: 24 * 365 * 11 });
    await rig.foldUntil(500);
    await expectExact(rig);
  });

  it('counts a transaction that commits after the fold once, in the next; the tail has it meanwhile', async () => {
    const slow = await rig.database.connect();
    await slow.query('BEGIN');
    await slow.query(storing(50));
    await rig.store(100);
    await rig.foldUntil(0);
    expect(await readTotal()).toBe(100);
    await slow.query('COMMIT');
    expect(await readTotal()).toBe(150);
    await rig.foldUntil(150);
    expect(await readTotal()).toBe(150);
    await expectExact(rig);
    await slow.end();
  });

  it('takes a backlog of weeks window by window', async () => {
    const weeks = [1, 2, 3].map((week) => new Date(Date.now() - week * 7 * 24 * 60 * 60_000));
    for (const week of weeks) await rig.store(100, { storedAt: week.toISOString() });
    await rig.store(100);
    await rig.foldUntil(400);
    await expectExact(rig);
    // What was stored before `floor` counts as folded.
    expect(await readTotal()).toBe(400);
  });

  it('takes more than fits one transaction by transaction ids, where the time alone cannot divide it', async () => {
    await rig.store(200);
    await rig.foldUntil(200);
    // Room at the front of the table, which the newest events take: rows do not lie in the order of their ids.
    await rig.database.query('DELETE FROM events');
    await rig.database.query("UPDATE rollup_generations SET state = 'retired'");
    await beginLive(rig.opened);
    await rig.database.query('VACUUM events');
    // All of it is younger than the fence's floor, which is a minute old.
    for (let batch = 0; batch < 20; batch += 1) await rig.store(50);
    let before = 0;
    const sizes: number[] = [];
    const onEvents = (events: number): void => {
      sizes.push(events - before);
      before = events;
    };
    await vi.waitFor(async () => {
      before = 0;
      expect(await foldLiveOnce(rig.opened, { windowEvents: 25, onEvents })).toMatchObject({
        end: 'caught_up',
      });
      const [live] = await rig.database.query("SELECT events::int FROM rollup_generations WHERE state = 'live'");
      expect(live).toEqual({ events: 1_000 });
    }, PATIENCE);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(100);
    expect(await readTotal()).toBe(1_000);
    await expectExact(rig);
    // Nor is anything counted again.
    await rig.store(30);
    await rig.foldUntil(1_030);
    await expectExact(rig);
  });

  it('takes smaller windows where one takes longer than a statement may', async () => {
    await rig.foldUntil(0);
    for (let batch = 0; batch < 40; batch += 1) await rig.store(100);
    // Any window of more than about a thousand events takes too long.
    await rig.database.query(`
      CREATE FUNCTION take_long() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        PERFORM pg_sleep((SELECT sum(events) FROM added WHERE dimension = 'event_type') / 1500.0);
        RETURN NULL;
      END $$`);
    await rig.database.query(`
      CREATE TRIGGER take_long AFTER INSERT ON rollup_hours REFERENCING NEW TABLE AS added
      FOR EACH STATEMENT EXECUTE FUNCTION take_long()`);
    const hasty = openDatabase({
      url: rig.database.url,
      poolSize: 1,
      statementTimeoutMs: 3_000,
      applicationName: 'sluice-maintenance',
    });
    try {
      await vi.waitFor(async () => {
        await foldLiveOnce(hasty);
        const [live] = await rig.database.query("SELECT events::int FROM rollup_generations WHERE state = 'live'");
        expect(live).toEqual({ events: 4_000 });
      }, PATIENCE);
    } finally {
      await hasty.close();
      await rig.database.query('DROP TRIGGER take_long ON rollup_hours; DROP FUNCTION take_long');
    }
    await expectExact(rig);
  });

  it('says up to which time everything that was committed is in, also while a transaction is open', async () => {
    await rig.store(10);
    await rig.foldUntil(10);
    const slow = await rig.database.connect();
    await slow.query('BEGIN; SELECT pg_current_xact_id()');
    await rig.database.query('SELECT pg_current_xact_id()');
    const [before] = await rig.database.query('SELECT clock_timestamp() AS at');
    await rig.store(5);
    await foldLiveOnce(rig.opened);
    const readPosition = async () =>
      (await rig.database.query("SELECT folded_to, events::int FROM rollup_generations WHERE state = 'live'"))[0]!;
    // Stored since, and not in.
    const position = await readPosition();
    expect(position).toMatchObject({ events: 10 });
    expect((position['folded_to'] as Date).getTime()).toBeLessThanOrEqual((before!['at'] as Date).getTime());
    await slow.query('COMMIT');
    await slow.end();
    const [after] = await rig.database.query('SELECT clock_timestamp() AS at');
    await vi.waitFor(async () => {
      await foldLiveOnce(rig.opened);
      const { folded_to: foldedTo, events } = await readPosition();
      expect(events).toBe(15);
      expect((foldedTo as Date).getTime()).toBeGreaterThanOrEqual((after!['at'] as Date).getTime());
    }, PATIENCE);
  });

  it('by several workers at once counts everything once', async () => {
    await rig.store(1_000);
    await rig.foldUntil(1_000);
    await Promise.all([
      ...Array.from({ length: 10 }, () => rig.store(100)),
      ...Array.from({ length: 3 }, () => foldLiveOnce(rig.opened)),
    ]);
    await rig.foldUntil(2_000);
    await expectExact(rig);
  });

  it('that dies between adding and committing has added nothing', async () => {
    await rig.store(200);
    await rig.foldUntil(200);
    await rig.store(200, { occurredHours: 1 });
    // Stops the fold after it has added to the hours, where it moves its position.
    const blocker = await rig.database.connect();
    await blocker.query('BEGIN; SELECT FROM rollup_generations FOR UPDATE');
    const dying = foldLiveOnce(rig.opened);
    const death = dying.then(
      () => 'none',
      (error: Error) => error.message,
    );
    const pid = await vi.waitFor(async () => {
      const [waiting] = await rig.database.query<{ pid: number }>(
        `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
         AND query LIKE '%UPDATE rollup_generations%'`,
      );
      expect(waiting).toBeDefined();
      return waiting!.pid;
    }, PATIENCE);
    await rig.database.query('SELECT pg_terminate_backend($1)', [pid]);
    expect(await death).toMatch(/terminat|closed|ended/i);
    await blocker.query('ROLLBACK');
    await blocker.end();
    expect(await readTotal()).toBe(400);
    await rig.foldUntil(400);
    await expectExact(rig);
  });

  it('refuses a position of another cluster, and names the remedy', async () => {
    await rig.store(100);
    await rig.foldUntil(100);
    await rig.database.query("UPDATE rollup_generations SET system_identifier = '7'");
    await expect(foldLiveOnce(rig.opened)).rejects.toThrow('sluice jobs run rebuild-rollups');
    await rebuildFolded(rig.opened, PROJECTIONS, { signal: new AbortController().signal, progress: () => {} });
    await expectExact(rig);
  });

  it('leaves events of another cluster in the tail until their time shows that they are complete', async () => {
    await rig.store(10);
    await rig.database.query("UPDATE events SET tx = '9999999999'");
    await rig.store(20);
    await rig.foldUntil(20);
    expect(await readTotal()).toBe(30);
    // Time passes: the floor is beyond them, however high their ids.
    await rig.database.query("UPDATE events SET stored_at = stored_at - interval '2 minutes' WHERE tx = '9999999999'");
    await rig.database.query("UPDATE rollup_generations SET floor = floor - interval '2 minutes'");
    await rig.foldUntil(30);
    expect(await readTotal()).toBe(30);
    await expectExact(rig);
  });

  it('begins by itself when the job runs first, and ends when all is in', async () => {
    await rig.store(100);
    const run = { id: 'run', input: {}, signal: new AbortController().signal, progress: () => {} };
    const context = { database: rig.opened } as JobContext;
    await vi.waitFor(async () => {
      expect((await foldRollupsJob.run(context, run)).details).toEqual({ end: 'caught_up' });
      expect(await generations()).toEqual([{ generation: 1, state: 'live', events: 100 }]);
    }, PATIENCE);
    await rebuildRollupsJob.run(context, run);
    await rig.foldUntil(100);
    await foldRollupsJob.run(context, run);
    expect(await generations()).toEqual([{ generation: 2, state: 'live', events: 100 }]);
    await expectExact(rig);
  });
});

const deleteSome = (where: string) =>
  inTransaction(rig.opened, (db) =>
    unstoreEvents(db, sql`DELETE FROM events WHERE ${sql.raw(where)} RETURNING ${UNSTORED_COLUMNS}`),
  );

describe('unfolding', () => {
  it('takes out exactly what was in: folded events, and none of the tail', async () => {
    await rig.store(500);
    await rig.foldUntil(500);
    await rig.store(500);
    // Of both, the folded and the others.
    const deleted = await deleteSome("actor IN ('user-1', 'user-2') OR event_type = 'type-0'");
    expect(deleted).toBeGreaterThan(300);
    const [left] = await rig.database.query<{ events: number }>('SELECT count(*)::int AS events FROM events');
    expect(left).toEqual({ events: 1_000 - deleted });
    await rig.foldUntil(1_000 - deleted);
    await expectExact(rig);
  });

  it('leaves no zeroes', async () => {
    await rig.store(100);
    await rig.foldUntil(100);
    await deleteSome('true');
    expect(await rig.database.query('SELECT FROM rollup_hours')).toEqual([]);
    expect(await rig.database.query('SELECT FROM rollup_days')).toEqual([]);
    expect(await rig.database.query('SELECT FROM rollup_weeks')).toEqual([]);
  });

  it('and folding at once do not deadlock', async () => {
    await rig.store(2_000);
    await rig.foldUntil(2_000);
    await Promise.all([
      ...Array.from({ length: 5 }, (_, at) => deleteSome(`session_id = 'session-${at}'`)),
      ...Array.from({ length: 5 }, () => rig.store(100, { occurredHours: 10 })),
      ...Array.from({ length: 3 }, () => foldLiveOnce(rig.opened)),
    ]);
    const [row] = await rig.database.query<{ events: number }>('SELECT count(*)::int AS events FROM events');
    await rig.foldUntil(row!.events);
    await expectExact(rig);
  });
});

const rebuild = (signal = new AbortController().signal, progress = (_done: number) => {}) =>
  rebuildFolded(rig.opened, PROJECTIONS, { signal, progress });

describe('rebuilding', () => {
  it('makes the same from the events, whatever was there', async () => {
    await rig.store(500);
    await rig.foldUntil(500);
    await rig.database.query("UPDATE rollup_hours SET events = 99; DELETE FROM rollup_days WHERE dimension = 'actor'");
    await rig.store(100);
    await rebuild();
    await rig.foldUntil(600);
    await expectExact(rig);
    expect(await generations()).toEqual([
      { generation: 1, state: 'retired', events: 500 },
      { generation: 2, state: 'live', events: 600 },
    ]);
    await dropRetired(rig.opened, foldedOf(PROJECTIONS), () => true);
    expect(await generations()).toEqual([{ generation: 2, state: 'live', events: 600 }]);
    expect(await rig.database.query('SELECT FROM rollup_hours WHERE generation = 1')).toEqual([]);
    await expectExact(rig);
  });

  it('is continued where it was interrupted; until the end the old ones are read, and deletions go to both', async () => {
    await rig.store(200, { storedAt: new Date(Date.now() - 7 * 24 * 60 * 60_000).toISOString() });
    await rig.store(100);
    await rig.foldUntil(300);
    const interrupt = new AbortController();
    const interrupted = rebuild(interrupt.signal, (done) => {
      if (done > 0) interrupt.abort(new Error('enough'));
    });
    await expect(interrupted).rejects.toThrow('enough');
    expect(await generations()).toEqual([
      { generation: 1, state: 'live', events: 300 },
      { generation: 2, state: 'building', events: expect.any(Number) as number },
    ]);
    const deleted = await inTransaction(rig.opened, (db) =>
      unstoreEvents(db, sql`DELETE FROM events WHERE actor = 'user-3' RETURNING ${UNSTORED_COLUMNS}`),
    );
    await expectExact(rig);
    await rebuild();
    await rig.foldUntil(300 - deleted);
    expect((await generations())[1]).toMatchObject({ generation: 2, state: 'live' });
    await expectExact(rig);
  });

  it('takes events whose transaction ids are of another cluster', async () => {
    await rig.store(100, { storedAt: new Date(Date.now() - 7 * 24 * 60 * 60_000).toISOString() });
    await rig.database.query("UPDATE events SET tx = '9999999999'");
    await rig.store(50);
    await rebuild();
    await rig.foldUntil(150);
    await expectExact(rig);
    // And they can be taken out again.
    await inTransaction(rig.opened, (db) =>
      unstoreEvents(db, sql`DELETE FROM events WHERE tx = '9999999999' RETURNING ${UNSTORED_COLUMNS}`),
    );
    await expectExact(rig);
  });
});
