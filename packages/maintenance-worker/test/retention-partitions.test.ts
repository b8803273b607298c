import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase } from '@sluice/store/database';
import { makePartitions, type Partition, partitionOf } from '@sluice/store/layout/partitions';
import { deleteTenantEvents } from '../src/retention/delete-tenant-events.ts';
import { dropPartitions, type DropOptions } from '../src/retention/drop-partitions.ts';
import { judgePartitions } from '../src/retention/judge-partitions.ts';
import { expectExact, type RolledUp, startRolledUp } from './fixtures/rolled-up.ts';

const DAY_MS = 24 * 60 * 60_000;
/** A Wednesday: with 30 days, the weeks that end on the Monday 37 days before and earlier are past. */
const NOW = new Date('2026-07-15T12:00:00Z');
const week = (weeksAgo: number): Partition => partitionOf(new Date(NOW.getTime() - weeksAgo * 7 * DAY_MS));
const [YOUNG, OLD, OLDEST] = [week(2), week(6), week(9)] as [Partition, Partition, Partition];

let rig: RolledUp;
beforeAll(async () => {
  rig = await startRolledUp();
});
afterAll(() => rig.stop());
beforeEach(async () => {
  for (const { name } of [YOUNG, OLD, OLDEST]) await rig.database.query(`DROP TABLE IF EXISTS ${name}`);
  await rig.database.query(
    `TRUNCATE events, event_ids, rollup_hours, rollup_days, rollup_generations, expiring_partitions, kept_partitions,
              tenant_retention, export_configs, export_positions`,
  );
  for (const { from } of [YOUNG, OLD, OLDEST]) {
    await makePartitions(rig.opened, from, 0);
    await rig.store(300, { storedAt: new Date(from.getTime() + DAY_MS).toISOString() });
  }
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
const expire = (options: Partial<DropOptions> = {}) => dropPartitions(rig.opened, { ...OPTIONS, ...options });

const weeks = async (): Promise<string[]> => {
  const rows = await rig.database.query<{ name: string }>(
    'SELECT relname AS name FROM pg_class WHERE relname = ANY($1) ORDER BY 1',
    [[YOUNG, OLD, OLDEST].map(({ name }) => name)],
  );
  return rows.map(({ name }) => name);
};
const count = async (table: string, where = 'true'): Promise<number> =>
  (await rig.database.query<{ count: number }>(`SELECT count(*)::int FROM ${table} WHERE ${where}`))[0]!.count;

const due = async (now: Date): Promise<string[]> =>
  (await judgePartitions(rig.opened.db, { now, days: 30, exportsByDefault: false })).map(
    ({ partition }) => partition.name,
  );

describe('a partition whose whole week is past the retention', () => {
  it('is dropped with its ids and its part of the roll-ups; younger ones stay', async () => {
    await rig.foldUntil(900);
    const expired = await expire();
    expect(expired).toMatchObject({ dropped: [OLDEST.name, OLD.name], events: 600, waiting: [], failures: [] });
    expect(await weeks()).toEqual([YOUNG.name]);
    expect(await count('event_ids')).toBe(300);
    expect(await count('expiring_partitions')).toBe(0);
    await expectExact(rig);
    expect(await count('rollup_generations', 'events = 300')).toBe(1);
  });

  it('is dropped when its end has expired, and not an instant before', async () => {
    const justPast = new Date(OLD.to.getTime() + 30 * DAY_MS);
    expect(await due(new Date(justPast.getTime() - 1))).toEqual([OLDEST.name]);
    expect(await due(justPast)).toEqual([OLDEST.name, OLD.name]);
  });

  it('stays forever with 0', async () => {
    expect((await expire({ days: 0 })).dropped).toEqual([]);
    expect(await weeks()).toHaveLength(3);
  });

  it('leaves the ledger row of an id that was stored again since', async () => {
    await rig.database.query(
      `UPDATE event_ids SET stored_at = now() WHERE event_id IN (SELECT event_id FROM ${OLD.name} LIMIT 5)`,
    );
    await expire();
    expect(await count('event_ids')).toBe(305);
  });

  it('is not recognised by its name alone', async () => {
    await rig.database.query(`ALTER TABLE events DETACH PARTITION ${OLD.name}`);
    expect((await expire()).dropped).toEqual([OLDEST.name]);
    expect(await weeks()).toContain(OLD.name);
  });
});

const expectCompletes = async (): Promise<void> => {
  await expire();
  expect(await weeks()).toEqual([YOUNG.name]);
  expect([await count('event_ids'), await count('expiring_partitions')]).toEqual([300, 0]);
  await rig.foldUntil(300);
  await expectExact(rig);
};

describe('an interrupted expiry continues', () => {
  beforeEach(() => rig.foldUntil(900));

  it('after the note that begins it', async () => {
    await rig.database.query('INSERT INTO expiring_partitions (name, lower_bound, upper_bound) VALUES ($1, $2, $3)', [
      OLD.name,
      OLD.from,
      OLD.to,
    ]);
    await expectCompletes();
  });

  it('after the detach', async () => {
    await rig.database.query('INSERT INTO expiring_partitions (name, lower_bound, upper_bound) VALUES ($1, $2, $3)', [
      OLD.name,
      OLD.from,
      OLD.to,
    ]);
    await rig.database.query(`ALTER TABLE events DETACH PARTITION ${OLD.name}`);
    await expectCompletes();
  });

  it('in the middle of the blocks', async () => {
    // Enough for several batches of blocks.
    await rig.database.query('TRUNCATE rollup_hours, rollup_days, rollup_generations');
    await rig.store(10_000, { storedAt: new Date(OLD.from.getTime() + DAY_MS).toISOString() });
    await rig.foldUntil(10_900);
    const stop = new AbortController();
    await expire({
      signal: stop.signal,
      progress: (events) => {
        if (events > 300) stop.abort();
      },
    });
    expect(await count('expiring_partitions', 'events > 0 AND next_block > 0')).toBe(1);
    expect(await count('event_ids')).toBeGreaterThan(300);
    await expectCompletes();
  });

  it('before the drop', async () => {
    const reader = await rig.database.connect();
    await rig.database.query('INSERT INTO expiring_partitions (name, lower_bound, upper_bound) VALUES ($1, $2, $3)', [
      OLD.name,
      OLD.from,
      OLD.to,
    ]);
    await rig.database.query(`ALTER TABLE events DETACH PARTITION ${OLD.name}`);
    await reader.query(`BEGIN; SELECT count(*) FROM ${OLD.name}`);
    expect(await expire()).toMatchObject({ dropped: [OLDEST.name], waiting: [OLD.name] });
    expect(await weeks()).toContain(OLD.name);
    await reader.query('COMMIT');
    await reader.end();
    await expectCompletes();
  });
});

it('while one waits for a reader the others wait too; then all are dropped', async () => {
  await rig.foldUntil(900);
  const reader = await rig.database.connect();
  await reader.query('BEGIN; SELECT count(*) FROM events');
  expect(await expire()).toMatchObject({ dropped: [], waiting: [OLDEST.name, OLD.name], failures: [] });
  expect(await expire()).toMatchObject({ dropped: [], waiting: [OLDEST.name, OLD.name], failures: [] });
  await reader.query('COMMIT');
  await reader.end();
  expect(await expire()).toMatchObject({ dropped: [OLDEST.name, OLD.name], waiting: [], failures: [] });
  await expectExact(rig);
});

it('a statement that takes too long is a failure, and not an open partition', async () => {
  const opened = openDatabase({
    url: rig.database.url,
    poolSize: 2,
    statementTimeoutMs: 1_000,
    applicationName: 'sluice-maintenance',
  });
  const folder = await rig.database.connect();
  await folder.query('BEGIN; LOCK TABLE rollup_generations IN ACCESS EXCLUSIVE MODE');
  const { waiting, failures } = await dropPartitions(opened, OPTIONS);
  await folder.query('ROLLBACK');
  await folder.end();
  await opened.close();
  expect(waiting).toEqual([]);
  expect(failures.map(({ error }) => error)).toEqual([
    expect.stringContaining('statement timeout'),
    expect.stringContaining('statement timeout'),
  ]);
  expect((await expire()).dropped).toEqual([OLDEST.name, OLD.name]);
});

describe('with an archive', () => {
  it('nothing is dropped, and no id forgotten, that was not archived', async () => {
    const expired = await expire({ archive: () => Promise.reject(new Error('the bucket is gone')) });
    expect(expired).toMatchObject({
      dropped: [],
      events: 0,
      failures: [
        { partition: OLDEST.name, error: 'the bucket is gone' },
        { partition: OLD.name, error: 'the bucket is gone' },
      ],
    });
    expect(await weeks()).toHaveLength(3);
    expect([await count(OLD.name), await count('event_ids')]).toEqual([300, 900]);
  });

  it('each is archived when it is detached, once, and then dropped', async () => {
    const archived: string[] = [];
    const archive = async (table: string): Promise<{ manifestKey: string }> => {
      expect(await count(table)).toBe(300);
      expect(await count('pg_inherits', `inhrelid = '${table}'::regclass`)).toBe(0);
      archived.push(table);
      return { manifestKey: `${table}/manifest.json` };
    };
    await expire({ archive: () => Promise.reject(new Error('not yet')) });
    const reader = await rig.database.connect();
    await reader.query(`BEGIN; SELECT count(*) FROM ${OLD.name}`);
    expect(await expire({ archive })).toMatchObject({ dropped: [OLDEST.name], waiting: [OLD.name] });
    await reader.query('COMMIT');
    await reader.end();
    expect((await expire({ archive })).dropped).toEqual([OLD.name]);
    expect(archived).toEqual([OLDEST.name, OLD.name]);
  });
});

const exports = (enabled: boolean) =>
  rig.database.query(
    `INSERT INTO export_configs (tenant, enabled, schedule, format, compression, destination, updated_by)
     VALUES ('acme', $1, '{}', 'ndjson', 'none', '{}', 'test') ON CONFLICT (tenant) DO UPDATE SET enabled = $1`,
    [enabled],
  );

const exportedTo = (floor: Date) =>
  rig.database.query(
    `INSERT INTO export_positions (tenant, tx, system_identifier, fenced_at, floor, run_id)
     VALUES ('acme', '7', '7', $1, $1, gen_random_uuid()) ON CONFLICT (tenant) DO UPDATE SET floor = $1`,
    [floor],
  );

describe('a partition that is still needed', () => {
  it('by an export waits until that has taken it, or is disabled', async () => {
    await exports(true);
    const held = await expire();
    expect(held.dropped).toEqual([]);
    expect(held.judged.map(({ heldBackBy }) => heldBackBy)).toEqual([['acme'], ['acme']]);
    await exportedTo(OLD.from);
    expect((await expire()).dropped).toEqual([OLDEST.name]);
    await exports(false);
    expect((await expire()).dropped).toEqual([OLD.name]);
  });

  it('by the export of the variables waits too; a manual export holds nothing back', async () => {
    const byDefault = await expire({ exportsByDefault: true });
    expect(byDefault.judged.map(({ heldBackBy }) => heldBackBy)).toEqual([['acme'], ['acme']]);
    expect(await weeks()).toHaveLength(3);
    await exports(true);
    await rig.database.query(`UPDATE export_configs SET schedule = '{"manual":true}'`);
    expect((await expire({ exportsByDefault: true })).dropped).toEqual([OLDEST.name, OLD.name]);
  });

  it('by a tenant with a longer retention stays for its events alone', async () => {
    await rig.store(1_500, { tenant: 'museum', storedAt: new Date(OLD.from.getTime() + 2 * DAY_MS).toISOString() });
    await rig.store(1_500, { tenant: 'shop', storedAt: new Date(OLD.from.getTime() + 3 * DAY_MS).toISOString() });
    await rig.foldUntil(3_900);
    await rig.database.query("INSERT INTO tenant_retention (tenant, days, updated_by) VALUES ('museum', 365, 'test')");
    expect((await expire()).dropped).toEqual([OLDEST.name]);
    const options = {
      now: NOW,
      days: 30,
      exportsByDefault: false,
      signal: new AbortController().signal,
      progress: () => {},
    };
    expect(await deleteTenantEvents(rig.opened, options)).toBe(1_800);
    expect([await count(OLD.name, "tenant = 'museum'"), await count(OLD.name)]).toEqual([1_500, 1_500]);
    expect(await count('event_ids')).toBe(1_800);
    await expectExact(rig);
    expect(await deleteTenantEvents(rig.opened, options)).toBe(0);

    await rig.database.query('UPDATE tenant_retention SET days = 31');
    expect((await expire()).dropped).toEqual([OLD.name]);
    expect(await count('kept_partitions')).toBe(0);
    await expectExact(rig);
  });
});
