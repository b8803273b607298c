import { afterEach, beforeEach, expect, it } from 'vitest';
import { migrate } from '@sluice/store/migrations/migrate';
import { MIGRATIONS } from '@sluice/store/migrations/migrations';
import { prepareDatabase } from '@sluice/store/prepare-database';
import { foldAll } from '@sluice/testkit/fold-all';
import { seededRandom } from '@sluice/testkit/seeded-random';
import { makeWeeklyPartition } from '@sluice/testkit/weekly-partition';
import { expectExact, recount, type RolledUp, startRolledUp } from './fixtures/rolled-up.ts';
import { expectSessions, type ModelEvent, randomEvents, storeModel } from './fixtures/session-model.ts';

let rig: RolledUp;
beforeEach(async () => {
  rig = await startRolledUp({ empty: true });
  // The schema of 0.1.0 and its partition of this week; its sessions had no names of machines.
  await migrate(rig.opened, MIGRATIONS.slice(0, 7));
  await makeWeeklyPartition(rig.database, new Date());
});
afterEach(() => rig.stop());

const withoutNames = (events: readonly ModelEvent[]): ModelEvent[] =>
  events.map((each) => ({ ...each, machine: null }));

/** Stores as a writer of 0.1.0: the events, and what they do to the sessions. It does not know SessionEnd. */
async function storeAsBefore(events: readonly ModelEvent[]): Promise<void> {
  const [before] = await rig.database.query<{ tx: string }>('SELECT pg_current_xact_id()::text AS tx');
  await storeModel(rig, events);
  await rig.database.query(
    `INSERT INTO sessions AS s (tenant, session_id, actor, started_at, last_event_at, last_seen_at, event_count)
     SELECT tenant, session_id, max(actor), min(occurred_at), max(occurred_at), now(), count(*)
     FROM events WHERE session_id IS NOT NULL AND tx > $1::xid8 GROUP BY 1, 2
     ON CONFLICT (tenant, session_id) DO UPDATE SET
       actor = coalesce(s.actor, excluded.actor), started_at = least(s.started_at, excluded.started_at),
       last_event_at = greatest(s.last_event_at, excluded.last_event_at), last_seen_at = excluded.last_seen_at,
       event_count = s.event_count + excluded.event_count, ended_at = NULL`,
    [before!.tx],
  );
}

/** Folds everything as 0.1.0 does: into hours and days. */
async function foldAsBefore(): Promise<void> {
  for (const [table, unit] of [
    ['rollup_hours', 'hour'],
    ['rollup_days', 'day'],
  ] as const)
    await rig.database.query(`INSERT INTO ${table} SELECT 1, * FROM (${recount(unit)}) AS r`);
  await rig.database.query(
    `INSERT INTO rollup_generations (generation, state, system_identifier, tx, floor, folded_at, events)
     SELECT 1, 'live', system_identifier::text, pg_current_xact_id(), date_trunc('week', now(), 'UTC'), now(),
            (SELECT count(*) FROM events) FROM pg_control_system()`,
  );
}

const notEnding = (events: readonly ModelEvent[]): ModelEvent[] =>
  withoutNames(events).map((each) => (each.type === 'SessionEnd' ? { ...each, type: 'CellChange' } : each));

it.each([
  ['some of its events', true],
  ['none', false],
])(
  'after an upgrade from a 0.1.0 that has folded %s, no session and no count is doubled or lost',
  async (_, folded) => {
    const random = seededRandom(1);
    const [first, second, third, fourth] = [200, 150, 100, 100].map((count) => notEnding(randomEvents(random, count)));
    await storeAsBefore(first!);
    if (folded) await foldAsBefore();
    await storeAsBefore(second!);
    await prepareDatabase(rig.opened);
    if (folded) expect(await rig.database.query('SELECT FROM rollup_weeks LIMIT 1')).toHaveLength(1);
    await storeModel(rig, third!);
    await foldAll(rig.database);
    await expectSessions(rig, [...first!, ...second!, ...third!]);
    await expectExact(rig);
    await storeModel(rig, fourth!);
    await foldAll(rig.database);
    await expectSessions(rig, [...first!, ...second!, ...third!, ...fourth!]);
    await expectExact(rig);
    expect(await rig.database.query('SELECT DISTINCT segment FROM events ORDER BY 1')).toEqual([
      { segment: 0 },
      { segment: 1 },
    ]);
  },
);
