import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import { openDatabase, type Database } from '../src/database.ts';
import { makePartitions, partitionOf } from '../src/layout/partitions.ts';

let database: TestDatabase;
let opened: Database;
beforeAll(async () => {
  database = await createTestDatabase();
  opened = openDatabase({ url: database.url, poolSize: 4, statementTimeoutMs: 30_000, applicationName: 'test' });
});
afterAll(async () => {
  await opened.close();
  await database.drop();
});

describe('a weekly partition', () => {
  it.each([
    ['2026-11-21T12:00:00Z', 'events_2026w47', '2026-11-16T00:00:00.000Z', '2026-11-23T00:00:00.000Z'],
    ['2026-11-16T00:00:00Z', 'events_2026w47', '2026-11-16T00:00:00.000Z', '2026-11-23T00:00:00.000Z'],
    ['2026-11-22T23:59:59.999Z', 'events_2026w47', '2026-11-16T00:00:00.000Z', '2026-11-23T00:00:00.000Z'],
    // 2026 has 53 ISO weeks, and the first days of 2027 belong to the last of them.
    ['2027-01-01T00:00:00Z', 'events_2026w53', '2026-12-28T00:00:00.000Z', '2027-01-04T00:00:00.000Z'],
    ['2024-12-30T00:00:00Z', 'events_2025w01', '2024-12-30T00:00:00.000Z', '2025-01-06T00:00:00.000Z'],
  ])('that holds %s is %s', (instant, name, from, to) => {
    const partition = partitionOf(new Date(instant));
    expect([partition.name, partition.from.toISOString(), partition.to.toISOString()]).toEqual([name, from, to]);
  });

  it('follows the one before without gap or overlap, over ten years', () => {
    let previous = partitionOf(new Date('2020-01-01T00:00:00Z'));
    const names = new Set([previous.name]);
    for (let week = 0; week < 520; week += 1) {
      const next = partitionOf(previous.to);
      expect(next.from).toEqual(previous.to);
      expect(names.has(next.name)).toBe(false);
      names.add(next.name);
      previous = next;
    }
  });
});

it('a write goes through while a reader holds the parent open and a partition is being made', async () => {
  const reader = await database.connect();
  await reader.query('BEGIN');
  await reader.query('SELECT count(*) FROM events');

  const made = await makePartitions(opened, new Date('2031-03-05T00:00:00Z'), 0);
  expect(made).toEqual(['events_2031w10']);
  const writer = await database.connect();
  // A write that had to wait for the reader would fail here.
  await writer.query("SET lock_timeout = '1s'");
  await writer.query(
    `INSERT INTO events (tenant, event_id, event_type, occurred_at, received_at, source, payload, stored_at)
     VALUES ('t', gen_random_uuid(), 'X', now(), now(), 's', '{}', '2031-03-05T12:00:00Z')`,
  );
  await reader.query('COMMIT');
  await Promise.all([reader.end(), writer.end()]);
  expect(await database.query('SELECT tableoid::regclass::text AS partition FROM events')).toEqual([
    { partition: 'events_2031w10' },
  ]);
});

it('a partition that was made and never attached is attached by the next run', async () => {
  await database.query('CREATE TABLE events_2032w10 (LIKE events INCLUDING DEFAULTS INCLUDING CONSTRAINTS)');
  const within = partitionOf(new Date('2032-03-03T00:00:00Z'));
  expect(within.name).toBe('events_2032w10');
  expect(await makePartitions(opened, new Date('2032-03-03T00:00:00Z'), 0)).toEqual(['events_2032w10']);
  expect(await makePartitions(opened, new Date('2032-03-03T00:00:00Z'), 0)).toEqual([]);
});

it('a partition has every index of its parent', async () => {
  const rows = await database.query<{ of_parent: number; of_partition: number }>(
    `SELECT (SELECT count(*)::int FROM pg_index WHERE indrelid = 'events'::regclass) AS of_parent,
            (SELECT count(*)::int FROM pg_index WHERE indrelid = 'events_2031w10'::regclass) AS of_partition`,
  );
  expect(rows[0]!.of_partition).toBe(rows[0]!.of_parent);
  expect(rows[0]!.of_parent).toBe(7);
});
