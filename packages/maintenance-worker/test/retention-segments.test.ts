import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase } from '@sluice/store/database';
import { register } from '@sluice/store/layout/expiring-segments';
import { listSegments, type Segment } from '@sluice/store/layout/segments';
import { type ArchiveSegment, dropSegments, type DropOptions } from '../src/retention/drop-segments.ts';
import { judgeSegments } from '../src/retention/judge-segments.ts';
import { removeSegments } from './fixtures/remove-segments.ts';
import { expectExact, type RolledUp, startRolledUp } from './fixtures/rolled-up.ts';

const DAY_MS = 24 * 60 * 60_000;
const NOW = new Date('2026-07-15T12:00:00Z');
const daysAgo = (days: number): string => new Date(NOW.getTime() - days * DAY_MS).toISOString();

let rig: RolledUp;
let [YOUNG, OLD, OLDEST] = [] as unknown as [Segment, Segment, Segment];
beforeAll(async () => {
  rig = await startRolledUp();
});
afterAll(() => rig.stop());
beforeEach(async () => {
  await removeSegments(rig);
  await rig.database.query(
    `TRUNCATE rollup_hours, rollup_days, rollup_weeks, rollup_generations, tenant_retention, export_configs, export_positions`,
  );
  const sealed: Segment[] = [];
  for (const days of [60, 40, 12]) {
    await rig.store(300, { storedAt: daysAgo(days) });
    sealed.push(await rig.seal());
  }
  [OLDEST, OLD, YOUNG] = sealed as [Segment, Segment, Segment];
});

const OPTIONS: DropOptions = {
  now: NOW,
  days: 30,
  exportsByDefault: false,
  archive: null,
  signal: new AbortController().signal,
  lockTimeoutMs: 100,
  progress: () => {},
};
const expire = (options: Partial<DropOptions> = {}) => dropSegments(rig.opened, { ...OPTIONS, ...options });

/** Names of the segments' tables that are there, oldest first. */
const tables = async (): Promise<string[]> => {
  const rows = await rig.database.query<{ name: string }>(
    'SELECT relname AS name FROM pg_class WHERE relname = ANY($1) ORDER BY array_position($1, relname)',
    [[OLDEST, OLD, YOUNG].map(({ relation }) => relation)],
  );
  return rows.map(({ name }) => name);
};
const count = async (table: string, where = 'true'): Promise<number> =>
  (await rig.database.query<{ count: number }>(`SELECT count(*)::int FROM ${table} WHERE ${where}`))[0]!.count;

const due = async (now: Date): Promise<string[]> =>
  (await judgeSegments(rig.opened.db, { now, days: 30, exportsByDefault: false })).map(
    ({ segment }) => segment.relation,
  );

describe('a segment whose last event is past the retention', () => {
  it('is dropped with its ids and its part of the roll-ups; younger ones stay', async () => {
    await rig.foldUntil(900);
    const expired = await expire();
    expect(expired).toMatchObject({ dropped: [OLDEST.relation, OLD.relation], events: 600, waiting: [], failures: [] });
    expect(await tables()).toEqual([YOUNG.relation]);
    expect(await count('events')).toBe(300);
    expect(await count('expiring_segments')).toBe(0);
    await expectExact(rig);
    expect(await count('rollup_generations', 'events = 300')).toBe(1);
  });

  it('is dropped when its end has expired, and not an instant before', async () => {
    // Its last event is a microsecond before its end.
    const justPast = new Date(Math.ceil(Date.parse(OLD.storedTo!) + 30 * DAY_MS) + 1);
    expect(await due(new Date(justPast.getTime() - 2))).toEqual([OLDEST.relation]);
    expect(await due(justPast)).toEqual([OLDEST.relation, OLD.relation]);
  });

  it('stays forever with 0', async () => {
    expect((await expire({ days: 0 })).dropped).toEqual([]);
    expect(await tables()).toHaveLength(3);
  });

  it('leaves events with the same ids that were stored again since', async () => {
    await rig.database.query(
      `INSERT INTO events (tenant, event_id, event_type, occurred_at, received_at, source, payload)
       SELECT tenant, event_id, event_type, occurred_at, received_at, source, payload FROM ${OLD.relation} LIMIT 5`,
    );
    await expire();
    expect(await count('events')).toBe(305);
  });

  it('is not recognised by its name alone', async () => {
    await rig.database.query(`ALTER TABLE events DETACH PARTITION ${OLD.relation}`);
    expect((await expire()).dropped).toEqual([OLDEST.relation]);
    expect(await tables()).toContain(OLD.relation);
  });
});

const expectCompletes = async (): Promise<void> => {
  await expire();
  expect(await tables()).toEqual([YOUNG.relation]);
  expect([await count('events'), await count('expiring_segments')]).toEqual([300, 0]);
  await rig.foldUntil(300);
  await expectExact(rig);
};

describe('an interrupted expiry continues', () => {
  beforeEach(() => rig.foldUntil(900));

  it('after the note that begins it', async () => {
    await register(rig.opened.db, OLD.relation);
    await expectCompletes();
  });

  it('after the detach', async () => {
    await register(rig.opened.db, OLD.relation);
    await rig.database.query(`ALTER TABLE events DETACH PARTITION ${OLD.relation}`);
    await expectCompletes();
  });

  it('in the middle of the blocks', async () => {
    // Enough for several batches of blocks.
    await rig.database.query('TRUNCATE rollup_hours, rollup_days, rollup_weeks, rollup_generations');
    await rig.store(10_000, { storedAt: daysAgo(35) });
    const { relation } = await rig.seal();
    await rig.foldUntil(10_900);
    const stop = new AbortController();
    await expire({
      signal: stop.signal,
      progress: (events) => {
        if (events > 600) stop.abort();
      },
    });
    expect(
      await rig.database.query('SELECT relation FROM expiring_segments WHERE events > 0 AND next_block > 0'),
    ).toEqual([{ relation }]);
    expect(await count(relation)).toBe(10_000);
    await expectCompletes();
  });

  it('before the drop', async () => {
    const reader = await rig.database.connect();
    await register(rig.opened.db, OLD.relation);
    await rig.database.query(`ALTER TABLE events DETACH PARTITION ${OLD.relation}`);
    await reader.query(`BEGIN; SELECT count(*) FROM ${OLD.relation}`);
    expect(await expire()).toMatchObject({ dropped: [OLDEST.relation], waiting: [OLD.relation] });
    expect(await tables()).toContain(OLD.relation);
    await reader.query('COMMIT');
    await reader.end();
    await expectCompletes();
  });
});

it('while one waits for a reader the others wait too; then all are dropped', async () => {
  await rig.foldUntil(900);
  const reader = await rig.database.connect();
  await reader.query('BEGIN; SELECT count(*) FROM events');
  expect(await expire()).toMatchObject({ dropped: [], waiting: [OLDEST.relation, OLD.relation], failures: [] });
  expect(await expire()).toMatchObject({ dropped: [], waiting: [OLDEST.relation, OLD.relation], failures: [] });
  await reader.query('COMMIT');
  await reader.end();
  expect(await expire()).toMatchObject({ dropped: [OLDEST.relation, OLD.relation], waiting: [], failures: [] });
  await expectExact(rig);
});

it('a statement that takes too long is a failure, and not an open segment', async () => {
  const opened = openDatabase({
    url: rig.database.url,
    poolSize: 2,
    statementTimeoutMs: 1_000,
    applicationName: 'sluice-maintenance',
  });
  const folder = await rig.database.connect();
  await folder.query('BEGIN; LOCK TABLE rollup_generations IN ACCESS EXCLUSIVE MODE');
  const { waiting, failures } = await dropSegments(opened, OPTIONS);
  await folder.query('ROLLBACK');
  await folder.end();
  await opened.close();
  expect(waiting).toEqual([]);
  expect(failures.map(({ error }) => error)).toEqual([
    expect.stringContaining('statement timeout'),
    expect.stringContaining('statement timeout'),
  ]);
  expect((await expire()).dropped).toEqual([OLDEST.relation, OLD.relation]);
});

describe('with an archive', () => {
  it('nothing is dropped, and nothing taken out of the roll-ups, that was not archived', async () => {
    await rig.foldUntil(900);
    const expired = await expire({ archive: () => Promise.reject(new Error('the bucket is gone')) });
    expect(expired).toMatchObject({
      dropped: [],
      events: 0,
      failures: [
        { segment: OLDEST.relation, error: 'the bucket is gone' },
        { segment: OLD.relation, error: 'the bucket is gone' },
      ],
    });
    expect(await tables()).toHaveLength(3);
    expect([await count(OLD.relation), await count('rollup_generations', 'events = 900')]).toEqual([300, 1]);
  });

  it('each is archived when it is detached, once, and then dropped', async () => {
    const archived: string[] = [];
    const archive: ArchiveSegment = async ({ relation: table }) => {
      expect(await count(table)).toBe(300);
      expect(await count('pg_inherits', `inhrelid = '${table}'::regclass`)).toBe(0);
      archived.push(table);
      return { manifestKey: `${table}/manifest.json` };
    };
    await expire({ archive: () => Promise.reject(new Error('not yet')) });
    const reader = await rig.database.connect();
    await reader.query(`BEGIN; SELECT count(*) FROM ${OLD.relation}`);
    expect(await expire({ archive })).toMatchObject({ dropped: [OLDEST.relation], waiting: [OLD.relation] });
    await reader.query('COMMIT');
    await reader.end();
    expect((await expire({ archive })).dropped).toEqual([OLD.relation]);
    expect(archived).toEqual([OLDEST.relation, OLD.relation]);
  });
});

const exports = (enabled: boolean) =>
  rig.database.query(
    `INSERT INTO export_configs (tenant, enabled, schedule, format, compression, destination, updated_by)
     VALUES ('acme', $1, '{}', 'ndjson', 'none', '{}', 'test') ON CONFLICT (tenant) DO UPDATE SET enabled = $1`,
    [enabled],
  );

const exportedTo = (floor: string) =>
  rig.database.query(
    `INSERT INTO export_positions (tenant, tx, system_identifier, fenced_at, floor, run_id)
     VALUES ('acme', '7', '7', $1, $1, gen_random_uuid()) ON CONFLICT (tenant) DO UPDATE SET floor = $1`,
    [floor],
  );

describe('a segment that is still needed', () => {
  it('by an export waits until that has taken it, or is disabled', async () => {
    await exports(true);
    const held = await expire();
    expect(held.dropped).toEqual([]);
    expect(held.judged.map(({ heldBackBy }) => heldBackBy)).toEqual([['acme'], ['acme']]);
    await exportedTo(OLDEST.storedTo!);
    expect((await expire()).dropped).toEqual([OLDEST.relation]);
    await exports(false);
    expect((await expire()).dropped).toEqual([OLD.relation]);
  });

  it('by the export of the variables waits too; a manual export holds nothing back', async () => {
    const byDefault = await expire({ exportsByDefault: true });
    expect(byDefault.judged.map(({ heldBackBy }) => heldBackBy)).toEqual([['acme'], ['acme']]);
    expect(await tables()).toHaveLength(3);
    await exports(true);
    await rig.database.query(`UPDATE export_configs SET schedule = '{"manual":true}'`);
    expect((await expire({ exportsByDefault: true })).dropped).toEqual([OLDEST.relation, OLD.relation]);
  });

  it('by a tenant with a longer retention is rewritten with its events alone', async () => {
    await rig.store(1_500, { tenant: 'museum', storedAt: daysAgo(39) });
    await rig.store(1_500, { tenant: 'shop', storedAt: daysAgo(38) });
    const mixed = await rig.seal();
    await rig.foldUntil(3_900);
    await rig.database.query("INSERT INTO tenant_retention (tenant, days, updated_by) VALUES ('museum', 365, 'test')");
    const first = await expire();
    const kept = `${mixed.relation}_r1`;
    expect(first).toMatchObject({
      failures: [],
      waiting: [],
      dropped: [OLDEST.relation, OLD.relation, mixed.relation],
      rewritten: [kept],
      events: 2_100,
    });
    expect([await count(kept, "tenant = 'museum'"), await count(kept)]).toEqual([1_500, 1_500]);
    expect(await count('events')).toBe(1_800);
    expect((await listSegments(rig.opened.db)).find(({ relation }) => relation === kept)).toMatchObject({
      state: 'sealed',
      rows: 1_500,
      from: mixed.from,
      to: mixed.to,
      storedFrom: mixed.storedFrom,
    });
    await expectExact(rig);
    // It holds nothing but what must stay, so it is left alone.
    expect(await expire()).toMatchObject({ dropped: [], rewritten: [], events: 0 });

    await rig.database.query('UPDATE tenant_retention SET days = 31');
    expect((await expire()).dropped).toEqual([kept]);
    expect(await count('expiring_segments')).toBe(0);
    await expectExact(rig);
  });
});
