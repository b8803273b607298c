import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { PROJECTIONS } from '@sluice/projections/all-projections';
import { rebuildFolded } from '@sluice/projections/fold/rebuild';
import { inTransaction } from '@sluice/store/transaction';
import { foldAll } from '@sluice/testkit/fold-all';
import { rotateHotSegment, sealHotSegment } from '@sluice/testkit/seal-hot-segment';
import { seededRandom } from '@sluice/testkit/seeded-random';
import { closeSessions } from '../src/jobs/close-sessions.ts';
import { UNSTORED_COLUMNS, unstoreEvents } from '../src/retention/unstore-events.ts';
import { expectExact, foldLiveOnce, PATIENCE, type RolledUp, startRolledUp } from './fixtures/rolled-up.ts';
import {
  expectSessions,
  type ModelEvent,
  modelSessions,
  randomEvents,
  readSessions,
  storeModel,
} from './fixtures/session-model.ts';

let rig: RolledUp;
beforeAll(async () => {
  rig = await startRolledUp();
});
afterAll(() => rig.stop());
beforeEach(() =>
  rig.database.query(
    `TRUNCATE events, sessions, rebuilt_sessions, deletion_horizons, rollup_hours, rollup_days, rollup_weeks, rollup_generations`,
  ),
);

const event = (at: number, other: Partial<ModelEvent> = {}): ModelEvent => ({
  tenant: 't',
  session: 's',
  actor: 'ada',
  type: 'CellChange',
  machine: null,
  at,
  ...other,
});
const end = (at: number): ModelEvent => event(at, { type: 'SessionEnd' });
const storeAndFold = async (...events: ModelEvent[]): Promise<void> => {
  await storeModel(rig, events);
  await foldAll(rig.database);
};
const readEnd = async () => (await readSessions(rig))[0]!['ended'];

describe('a SessionEnd', () => {
  it('ends its session at its own time, in whichever order its events arrive', async () => {
    await storeAndFold(event(1), end(9), event(5));
    expect(await readEnd()).toBe(9);
    await storeAndFold(event(8), event(9));
    expect(await readEnd()).toBe(9);
    await storeAndFold(event(10));
    expect(await readEnd()).toBeNull();
    await storeAndFold(end(9), event(3));
    expect(await readEnd()).toBeNull();
    await storeAndFold(end(12));
    expect(await readEnd()).toBe(12);
    await expectSessions(rig, [1, 5, 8, 9, 10, 3].map((at) => event(at)).concat([end(9), end(9), end(12)]));
  });

  it('of which other events of the same window occurred later ends nothing', async () => {
    await storeAndFold(event(1), end(5), event(6));
    expect(await readEnd()).toBeNull();
  });

  it('ends a session that was idle at its own time, and what is late does not open it again', async () => {
    await storeAndFold(event(1));
    expect(
      await closeSessions(rig.opened.db, -3_600, { signal: new AbortController().signal, progress: () => {} }),
    ).toEqual({ rows: 1 });
    await storeAndFold(event(2), end(4));
    expect(await readEnd()).toBe(4);
    await storeAndFold(event(3));
    expect(await readEnd()).toBe(4);
  });
});

describe('a session', () => {
  it('gets machine and domain from its payloads, from those that are small', async () => {
    await storeAndFold(event(1, { machine: 'pc-1' }), event(2, { session: 'other' }));
    await storeAndFold(event(2), event(3, { session: 'other', machine: 'pc-2' }));
    await rig.database.query(
      `INSERT INTO events (tenant, event_id, event_type, occurred_at, received_at, session_id, source, payload)
       SELECT 't', gen_random_uuid(), 'CellChange', now(), now(), 'large', 'governance-tracker',
              jsonb_build_object('machineName', 'pc-3', 'text', string_agg(md5(n::text), ''))
       FROM generate_series(1, 500) AS n`,
    );
    await foldAll(rig.database);
    const names = await rig.database.query('SELECT session_id, machine_name, user_domain FROM sessions ORDER BY 1');
    expect(names).toEqual([
      { session_id: 'large', machine_name: null, user_domain: null },
      { session_id: 'other', machine_name: 'pc-2', user_domain: 'PC-2' },
      { session_id: 's', machine_name: 'pc-1', user_domain: 'PC-1' },
    ]);
  });

  it('stays as it is when its events are deleted', async () => {
    const events = [event(1), event(2), event(3), end(4)];
    await storeAndFold(...events);
    await inTransaction(rig.opened, (db) =>
      unstoreEvents(db, sql`DELETE FROM events WHERE event_type = 'CellChange' RETURNING ${UNSTORED_COLUMNS}`),
    );
    await expectSessions(rig, events);
    await expectExact(rig);
    await storeAndFold(event(5));
    await expectSessions(rig, [...events, event(5)]);
  });
});

describe('random events', () => {
  it.each([1, 2, 3])(
    'are as a plain model has them, however they are folded, rotated and sealed: seed %i',
    async (seed) => {
      const random = seededRandom(seed);
      const stored: ModelEvent[] = [];
      await foldAll(rig.database);
      for (let round = 0; round < 25; round += 1) {
        const batches = Array.from({ length: 1 + random.below(4) }, () => randomEvents(random, 1 + random.below(60)));
        stored.push(...batches.flat());
        const windowEvents = random.pick([5, 20, 100, 10_000]);
        await Promise.all([
          ...batches.map((batch) => storeModel(rig, batch)),
          ...Array.from({ length: random.below(3) }, () => foldLiveOnce(rig.opened, { windowEvents })),
        ]);
        if (random.below(4) === 0) await random.pick([rotateHotSegment, sealHotSegment])(rig.opened);
      }
      await foldAll(rig.database);
      await expectSessions(rig, stored);
      await expectExact(rig);
    },
  );

  it('are counted once when folds die anywhere, and another worker continues', async () => {
    const random = seededRandom(4);
    const stored: ModelEvent[] = [];
    const killer = await rig.database.connect();
    await foldAll(rig.database);
    let killed = 0;
    let died = 0;
    for (let round = 0; round < 30; round += 1) {
      const batches = Array.from({ length: 5 }, () => randomEvents(random, 40));
      stored.push(...batches.flat());
      for (const batch of batches) await storeModel(rig, batch);
      const over = new AbortController();
      const folds = Promise.allSettled(
        [1, 2].map(() => foldLiveOnce(rig.opened, { windowEvents: random.pick([5, 40]) })),
      ).finally(() => {
        over.abort();
      });
      while (!over.signal.aborted && killed < 5 * (round + 1)) {
        const { rowCount } = await killer.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
           WHERE datname = current_database() AND application_name = 'sluice-maintenance' AND xact_start IS NOT NULL
             AND query ~ $1 LIMIT 1`,
          [random.pick(['window_groups', 'rollup_generations', 'count', 'advisory'])],
        );
        killed += rowCount ?? 0;
      }
      died += (await folds).filter(({ status }) => status === 'rejected').length;
    }
    await killer.end();
    expect(died).toBeGreaterThan(5);
    await foldAll(rig.database);
    await expectSessions(rig, stored);
    await expectExact(rig);
  });
});

const rebuild = (signal = new AbortController().signal, progress = (_done: number) => {}) =>
  rebuildFolded(rig.opened, PROJECTIONS, { signal, progress });

/** Sessions that began after the migration, more than a day ago as their clients said, are whole. */
const migratedLongAgo = () =>
  rig.database.query("UPDATE sluice_migrations SET applied_at = '2020-01-01' WHERE name = '0010-folded-sessions'");

describe('a rebuild', () => {
  it('makes the same from the events, whatever was there, and folding continues', async () => {
    await migratedLongAgo();
    const events = randomEvents(seededRandom(5), 500);
    await storeAndFold(...events);
    await rig.database.query(
      `UPDATE sessions SET event_count = 99, actor = 'nobody', last_event_at = 'infinity' WHERE session_id ~ '1$';
       DELETE FROM sessions WHERE session_id ~ '2$'`,
    );
    const more = randomEvents(seededRandom(6), 100);
    await storeModel(rig, more);
    await rebuild();
    await foldAll(rig.database);
    await expectSessions(rig, [...events, ...more]);
    await expectExact(rig);
    expect(await rig.database.query('SELECT FROM rebuilt_sessions')).toEqual([]);
  });

  it('continues where it was interrupted; until its end the old sessions are read', async () => {
    await migratedLongAgo();
    const events = randomEvents(seededRandom(7), 300);
    await storeAndFold(...events);
    await rig.database.query('UPDATE sessions SET event_count = 99');
    const interrupt = new AbortController();
    const interrupted = rebuild(interrupt.signal, (done) => {
      if (done > 0) interrupt.abort(new Error('enough'));
    });
    await expect(interrupted).rejects.toThrow('enough');
    expect(await rig.database.query('SELECT DISTINCT event_count::int FROM sessions')).toEqual([{ event_count: 99 }]);
    await rebuild();
    await foldAll(rig.database);
    await expectSessions(rig, events);
  });

  it('never makes a session smaller of which events were deleted', async () => {
    await migratedLongAgo();
    const old = [event(1, { session: 'old', tenant: 'a' }), event(2, { session: 'old', tenant: 'a' })];
    const gone = [event(1, { session: 'gone', tenant: 'a' })];
    const others = [event(1, { session: 'whole', tenant: 'b' }), event(2, { session: 'whole', tenant: 'b' })];
    await storeAndFold(...old, ...gone, ...others);
    await inTransaction(rig.opened, (db) =>
      unstoreEvents(
        db,
        sql`DELETE FROM events WHERE tenant = 'a' AND (session_id = 'gone' OR occurred_at < '2026-02-02T00:02Z')
            RETURNING ${UNSTORED_COLUMNS}`,
      ),
    );
    await rig.database.query("UPDATE sessions SET event_count = 7 WHERE session_id = 'whole'");
    await rebuild();
    await foldAll(rig.database);
    await expectSessions(rig, [...old, ...gone, ...others]);
    await storeAndFold(event(3, { session: 'old', tenant: 'a' }));
    await expectSessions(rig, [...old, ...gone, ...others, event(3, { session: 'old', tenant: 'a' })]);
  });

  it('takes no session for whole that may have begun before the migration, or while a segment expires', async () => {
    await storeAndFold(event(1), event(2));
    const inflate = () => rig.database.query('UPDATE sessions SET event_count = 7');
    const count = async () => (await readSessions(rig))[0]!['events'];
    await rig.database.query('UPDATE sluice_migrations SET applied_at = now()');
    await inflate();
    await rebuild();
    expect(await count()).toBe(7);
    await migratedLongAgo();
    await rig.database.query(
      "INSERT INTO segments (relation, segment_from, segment_to, state) VALUES ('events_expiring', 0, 1, 'expiring')",
    );
    await rebuild();
    expect(await count()).toBe(7);
    await rig.database.query("DELETE FROM segments WHERE relation = 'events_expiring'");
    await rebuild();
    expect(await count()).toBe(2);
  });

  it('leaves ended what was idle, and opens what has got an event since', async () => {
    await migratedLongAgo();
    await storeAndFold(event(1), event(1, { session: 'again' }));
    await closeSessions(rig.opened.db, -3_600, { signal: new AbortController().signal, progress: () => {} });
    await storeModel(rig, [event(2, { session: 'again' })]);
    await rebuild();
    await foldAll(rig.database);
    expect(await rig.database.query('SELECT session_id, ended_at IS NULL AS open FROM sessions ORDER BY 1')).toEqual([
      { session_id: 'again', open: true },
      { session_id: 's', open: false },
    ]);
  });

  it('is the way back after a move to another cluster', async () => {
    await migratedLongAgo();
    const before = randomEvents(seededRandom(8), 200);
    await storeAndFold(...before);
    // As after a restore: ids of transactions that this cluster has not reached, and a position of another one.
    await rig.database.query("UPDATE rollup_generations SET system_identifier = '7'");
    await rig.database.query("UPDATE events SET tx = '9999999999', stored_at = stored_at - interval '1 hour'");
    const since = randomEvents(seededRandom(9), 100);
    await storeModel(rig, since);
    await expect(foldLiveOnce(rig.opened)).rejects.toThrow('sluice jobs run rebuild-rollups');
    await vi.waitFor(async () => {
      await rebuild();
      await expectSessions(rig, [...before, ...since]);
    }, PATIENCE);
    await foldAll(rig.database);
    await expectSessions(rig, [...before, ...since]);
    await expectExact(rig);
  });
});

it('a fold of 0.1.0 is refused: it would leave the sessions out', async () => {
  await storeAndFold(event(1));
  await expect(
    rig.database.query("UPDATE rollup_generations SET tx = tx, folded_at = now() WHERE state = 'live'"),
  ).rejects.toThrow('stop this maintenance worker and start one of 0.2.0 or later');
  expect(modelSessions([event(1)])).toEqual(await readSessions(rig));
});
