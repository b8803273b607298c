import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { deleteTenantEvents, planExpiry } from '../src/retention/delete-tenant-events.ts';
import { removeSegments } from './fixtures/remove-segments.ts';
import { expectExact, type RolledUp, startRolledUp } from './fixtures/rolled-up.ts';

const DAY_MS = 24 * 60 * 60_000;
const NOW = new Date('2026-07-15T12:00:00Z');
const daysAgo = (days: number): string => new Date(NOW.getTime() - days * DAY_MS).toISOString();

let rig: RolledUp;
beforeAll(async () => {
  rig = await startRolledUp();
});
afterAll(() => rig.stop());
beforeEach(async () => {
  await removeSegments(rig);
  await rig.database.query(
    `TRUNCATE rollup_hours, rollup_days, rollup_weeks, rollup_generations, tenant_retention, export_configs, export_positions`,
  );
});

const keep = (tenant: string, days: number) =>
  rig.database.query(
    `INSERT INTO tenant_retention (tenant, days, updated_by) VALUES ($1, $2, 'test')
     ON CONFLICT (tenant) DO UPDATE SET days = excluded.days`,
    [tenant, days],
  );
const expire = (options: { now?: Date; days?: number; signal?: AbortSignal; progress?: () => void } = {}) =>
  deleteTenantEvents(rig.opened, {
    now: NOW,
    days: 90,
    exportsByDefault: false,
    signal: new AbortController().signal,
    progress: () => {},
    ...options,
  });
const left = async (): Promise<Record<string, number>> => {
  const rows = await rig.database.query<{ tenant: string; events: number }>(
    'SELECT tenant, count(*)::int AS events FROM events GROUP BY 1 ORDER BY 1',
  );
  return Object.fromEntries(rows.map(({ tenant, events }) => [tenant, events]));
};

it('events of a tenant with a shorter retention are deleted exactly, with their part of the roll-ups', async () => {
  await rig.store(2_500, { storedAt: daysAgo(10) });
  await rig.store(20, { storedAt: daysAgo(7.001) });
  await rig.store(20, { storedAt: daysAgo(6.999) });
  await rig.store(100, { tenant: 'other', storedAt: daysAgo(10) });
  await rig.foldUntil(2_640);
  await keep('acme', 7);
  expect(await expire()).toBe(2_520);
  expect(await left()).toEqual({ acme: 20, other: 100 });
  await expectExact(rig);
  // An hour later the rest is past its time too.
  expect(await expire({ now: new Date(NOW.getTime() + DAY_MS / 24) })).toBe(20);
  expect(await left()).toEqual({ other: 100 });
  await expectExact(rig);
});

const due = async () =>
  (await planExpiry(rig.opened.db, { now: NOW, days: 90, exportsByDefault: false })).map(({ tenants }) => tenants);

it('tenants with the same retention are read together; a new one catches up', async () => {
  for (const tenant of ['a', 'b', 'c']) await rig.store(50, { tenant, storedAt: daysAgo(10) });
  await keep('a', 7);
  await keep('b', 7);
  expect(await due()).toEqual([['a', 'b']]);
  expect(await expire()).toBe(100);
  await keep('c', 7);
  expect(await due()).toEqual([['c']]);
  expect(await expire()).toBe(50);
  expect(await left()).toEqual({});
});

it('a retention that was shortened takes effect with the next run, one that is longer or 0 deletes nothing', async () => {
  await rig.store(50, { tenant: 'a', storedAt: daysAgo(10) });
  await rig.store(50, { tenant: 'b', storedAt: daysAgo(10) });
  await keep('a', 20);
  await keep('b', 0);
  expect(await expire()).toBe(0);
  await keep('a', 5);
  expect(await expire()).toBe(50);
  expect(await left()).toEqual({ b: 50 });
});

it('a shorter retention also applies where all others retain forever', async () => {
  await rig.store(50, { tenant: 'a', storedAt: daysAgo(10) });
  await rig.store(50, { tenant: 'b', storedAt: daysAgo(10) });
  await keep('a', 7);
  expect(await expire({ days: 0 })).toBe(50);
  expect(await left()).toEqual({ b: 50 });
});

it('a locked event is left for the next run, and not forgotten', async () => {
  await rig.store(50, { storedAt: daysAgo(10) });
  await keep('acme', 7);
  const locker = await rig.database.connect();
  await locker.query('BEGIN; SELECT FROM events ORDER BY event_id LIMIT 3 FOR UPDATE');
  expect(await expire()).toBe(0);
  expect(await left()).toEqual({ acme: 3 });
  await locker.query('COMMIT');
  await locker.end();
  expect(await expire()).toBe(3);
  expect(await left()).toEqual({});
});

it('an aborted run continues later', async () => {
  for (const days of [9, 10, 15, 20]) await rig.store(100, { storedAt: daysAgo(days) });
  await rig.foldUntil(400);
  await keep('acme', 7);
  const stop = new AbortController();
  const first = await expire({
    signal: stop.signal,
    progress: () => stop.abort(),
  });
  expect(first).toBeLessThan(400);
  expect(first + (await expire())).toBe(400);
  expect(await left()).toEqual({});
  await expectExact(rig);
});

it('events that an export has not taken yet stay', async () => {
  await rig.store(50, { storedAt: daysAgo(12) });
  await rig.store(50, { storedAt: daysAgo(9) });
  await keep('acme', 7);
  await rig.database.query(
    `INSERT INTO export_configs (tenant, schedule, format, compression, destination, updated_by)
     VALUES ('acme', '{}', 'ndjson', 'none', '{}', 'test')`,
  );
  expect(await expire()).toBe(0);
  await rig.database.query(
    `INSERT INTO export_positions (tenant, tx, system_identifier, fenced_at, floor, run_id)
     VALUES ('acme', '7', '7', $1, $1, gen_random_uuid())`,
    [daysAgo(11)],
  );
  expect(await expire()).toBe(50);
  await rig.database.query('UPDATE export_configs SET enabled = false');
  expect(await expire()).toBe(50);
});
