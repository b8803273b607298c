import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rotateHotSegment, sealHotSegment } from '@sluice/testkit/seal-hot-segment';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import { openDatabase, type Database } from '../src/database.ts';
import { analyzeSegment, isAnalyzeDue } from '../src/layout/analyze-segment.ts';
import { beginWeek, type HotSegment, readHotSegment } from '../src/layout/hot-segment.ts';
import { makeSegments } from '../src/layout/make-segment.ts';
import { rotateSegment } from '../src/layout/rotate-segment.ts';
import { sealSegment } from '../src/layout/seal-segment.ts';
import { listSegments } from '../src/layout/segments.ts';
import { RANGE_BLOCKS, summarizeBlocks } from '../src/layout/summarize-blocks.ts';

const NO_SIGNAL = new AbortController().signal;

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

const insert = (count: number): string => `
  INSERT INTO events (tenant, event_id, event_type, occurred_at, received_at, source, payload)
  SELECT 't', gen_random_uuid(), 'type-' || n % 3, now(), now(), 's', '{}' FROM generate_series(1, ${count}) AS n`;

const states = async (): Promise<string[]> =>
  (await listSegments(opened.db)).map(({ relation, state }) => `${relation} ${state}`);
const hot = async (): Promise<HotSegment> => (await readHotSegment(opened.db))!;
const statistics = () => database.query('SELECT pg_stat_force_next_flush()');

it('a write goes through while a reader holds the parent open and segments are being made', async () => {
  await database.query("DELETE FROM segments WHERE state = 'next'");
  await database.query('DROP TABLE events_s2');
  const reader = await database.connect();
  await reader.query('BEGIN');
  await reader.query('SELECT count(*) FROM events');

  expect(await makeSegments(opened)).toEqual(['events_s2']);
  const writer = await database.connect();
  // A write that had to wait for the reader would fail here.
  await writer.query("SET lock_timeout = '1s'");
  await writer.query(insert(1));
  await reader.query('COMMIT');
  await Promise.all([reader.end(), writer.end()]);
  expect(await database.query('SELECT tableoid::regclass::text AS segment, segment AS number FROM events')).toEqual([
    { segment: 'events_s1', number: 1 },
  ]);
  expect(await makeSegments(opened)).toEqual([]);
});

it('where no segment is hot, the next one becomes it', async () => {
  const before = await states();
  expect(before).toEqual(['events_s1 hot', 'events_s2 next']);
  await database.query("UPDATE segments SET state = 'closed' WHERE state = 'hot'");
  expect(await makeSegments(opened)).toEqual(['events_s3']);
  expect(await states()).toEqual(['events_s1 closed', 'events_s2 hot', 'events_s3 next']);
});

const indexes = async (relation: string): Promise<number> =>
  (
    await database.query<{ count: number }>(
      `SELECT count(*)::int FROM pg_index WHERE indrelid = '${relation}'::regclass`,
    )
  )[0]!.count;

it('a segment has three indexes while it is written to, and eight once it is sealed', async () => {
  expect(await indexes((await hot()).relation)).toBe(3);
  const { relation } = await sealHotSegment(opened);
  expect(await indexes(relation)).toBe(8);
});

const due = (events: number, analysedAt: number): boolean => isAnalyzeDue({ events, analysedAt });

describe('a rotation', () => {
  it('waits for a transaction that stores events a moment only, and lets others store between its tries', async () => {
    const { relation } = await hot();
    const slow = await database.connect();
    await slow.query('BEGIN');
    await slow.query(insert(1));
    const writer = await database.connect();
    await writer.query("SET lock_timeout = '1s'");
    const rotating = rotateSegment(opened, relation);
    let stored = 0;
    const over = new AbortController();
    void rotating.finally(() => over.abort());
    while (!over.signal.aborted) {
      await writer.query(insert(1));
      stored += 1;
    }
    expect(await rotating).toBe(false);
    expect(stored).toBeGreaterThan(1);
    expect((await hot()).relation).toBe(relation);
    await slow.query('COMMIT');
    expect(await rotateSegment(opened, relation)).toBe(true);
    await makeSegments(opened);
    await Promise.all([slow.end(), writer.end()]);
  });

  it('that another worker was faster with changes nothing', async () => {
    const closed = await rotateHotSegment(opened);
    const before = await states();
    expect(await rotateSegment(opened, closed.relation)).toBe(true);
    expect(await states()).toEqual(before);
  });

  it('fails where no segment is next, and the hot one stays', async () => {
    await database.query("UPDATE segments SET state = 'expiring' WHERE state = 'next'");
    const { relation } = await hot();
    await expect(rotateSegment(opened, relation)).rejects.toThrow(`no segment comes after ${relation}`);
    expect((await hot()).relation).toBe(relation);
    await database.query("UPDATE segments SET state = 'next' WHERE state = 'expiring'");
  });
});

describe('the number of events in the hot segment', () => {
  it('is estimated from statistics, from the size, and after ANALYZE from the density', async () => {
    await rotateHotSegment(opened);
    expect(await hot()).toMatchObject({ events: 0, blocks: 0, analysedAt: -1, hasNext: true });
    await database.query(insert(30_000));
    await statistics();
    // Before its first ANALYZE it may be off by half: that is due at 10,000.
    const first = await hot();
    expect(first.events).toBeGreaterThan(10_000);
    expect(isAnalyzeDue(first)).toBe(true);
    await analyzeSegment(opened, first.relation);
    const second = await hot();
    expect(isAnalyzeDue(second)).toBe(false);
    expect(second.events).toBeGreaterThan(29_000);
    expect(second.events).toBeLessThan(31_000);
    await database.query(insert(30_000));
    const third = await hot();
    expect(third.events).toBeGreaterThan(58_000);
    expect(third.events).toBeLessThan(62_000);
    expect(isAnalyzeDue(third)).toBe(true);
  });

  it('is analysed at three numbers only', () => {
    expect([due(9_999, -1), due(10_000, -1), due(49_999, 10_001), due(50_000, 10_001)]).toEqual([
      false,
      true,
      false,
      true,
    ]);
    expect([due(199_999, 50_000), due(200_000, 50_000), due(5_000_000, 200_000)]).toEqual([false, true, false]);
  });
});

it('full block ranges are added to the index, the ones that are being filled are not', async () => {
  const { relation, blocks } = await hot();
  expect(blocks).toBeGreaterThan(4 * RANGE_BLOCKS);
  const unknownBlocks = async (): Promise<number> => {
    // A range without a summary is scanned whatever its values are.
    const rows = await database.query<{ 'QUERY PLAN': string }>(
      `EXPLAIN (ANALYZE, TIMING off, SUMMARY off) SELECT FROM ${relation} WHERE stored_at < '2000-01-01'`,
    );
    const heap = rows.map((row) => /lossy=(\d+)/.exec(row['QUERY PLAN'])?.[1]).find((found) => found !== undefined);
    return Number(heap ?? 0);
  };
  // Postgres itself keeps the first range.
  expect(await unknownBlocks()).toBe(blocks - RANGE_BLOCKS);
  const ranges = await summarizeBlocks(opened, { relation, blocks }, 0);
  expect(ranges).toBe(Math.floor((blocks - 64) / RANGE_BLOCKS));
  expect(await unknownBlocks()).toBe(blocks - ranges * RANGE_BLOCKS);
  expect(await summarizeBlocks(opened, { relation, blocks }, ranges)).toBe(ranges);
});

describe('the week of the hot segment', () => {
  it.each([
    ["date_trunc('week', now(), 'UTC')", false],
    ["date_trunc('week', now(), 'UTC') - interval '1 microsecond'", true],
  ])('that became hot at %s is an earlier one: %s', async (hotAt, isEarlier) => {
    await database.query(`UPDATE segments SET hot_at = ${hotAt} WHERE state = 'hot'`);
    expect((await hot()).isOfEarlierWeek).toBe(isEarlier);
  });

  it('begins again when it is empty', async () => {
    await beginWeek(opened.db, (await hot()).relation);
    expect((await hot()).isOfEarlierWeek).toBe(false);
  });
});

describe('sealing', () => {
  it('is done by one worker at a time', async () => {
    const { relation } = await rotateHotSegment(opened);
    const results = await Promise.all([1, 2].map(() => sealSegment(opened, relation, NO_SIGNAL)));
    expect(results.filter(Boolean)).toHaveLength(1);
    expect(await states()).toContain(`${relation} sealed`);
  });

  it('runs beside events that are stored, and ends between two steps when its signal is aborted', async () => {
    await database.query(insert(20_000));
    const { relation } = await rotateHotSegment(opened);
    const stop = new AbortController();
    let steps = 0;
    const sealing = sealSegment(opened, relation, stop.signal, () => {
      steps += 1;
      if (steps === 3) stop.abort(new Error('the worker was stopped'));
    });
    await expect(sealing).rejects.toThrow('the worker was stopped');
    expect(await states()).toContain(`${relation} closed`);
    await Promise.all([sealSegment(opened, relation, NO_SIGNAL), database.query(insert(100))]);
    const sealed = (await listSegments(opened.db)).find((each) => each.relation === relation);
    expect(sealed).toMatchObject({ state: 'sealed', rows: 20_000 });
    const [bounds] = await database.query(
      `SELECT min(stored_at) = s.stored_from AND max(stored_at) < s.stored_to AND min(occurred_at) = s.occurred_from
              AND max(occurred_at) < s.occurred_to AND max(tx) = s.tx_to AS right
       FROM ${relation}, segments AS s WHERE s.relation = '${relation}' GROUP BY s.relation`,
    );
    expect(bounds).toEqual({ right: true });
  });
});
