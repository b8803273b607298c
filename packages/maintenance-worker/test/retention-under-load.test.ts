import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { openDatabase, type Database } from '@sluice/store/database';
import { readHotSegment } from '@sluice/store/layout/hot-segment';
import type { Segment } from '@sluice/store/layout/segments';
import { post } from '@sluice/testkit/http';
import { makeEvents } from '@sluice/testkit/make-event';
import { type Pipeline, startPipeline } from '@sluice/testkit/pipeline';
import { sealHotSegment } from '@sluice/testkit/seal-hot-segment';
import { type ArchiveSegment, type Dropped, dropSegments } from '../src/retention/drop-segments.ts';
import { PATIENCE, storing } from './fixtures/rolled-up.ts';

const DAY_MS = 24 * 60 * 60_000;

let pipeline: Pipeline;
let opened: Database;
beforeAll(async () => {
  pipeline = await startPipeline();
  opened = openDatabase({
    url: pipeline.database.url,
    poolSize: 4,
    statementTimeoutMs: 30_000,
    applicationName: 'sluice-maintenance',
  });
  await pipeline.startWriter('writer-1');
});
afterAll(async () => {
  await opened.close();
  await pipeline.stop();
});

const expire = (lockTimeoutMs = 30_000, archive: ArchiveSegment | null = null): Promise<Dropped> =>
  dropSegments(opened, {
    now: new Date(),
    days: 30,
    exportsByDefault: false,
    archive,
    signal: new AbortController().signal,
    lockTimeoutMs,
    progress: () => {},
  });

/** Waits until the statement waits for a lock. @returns its process */
const waiting = (statement: string): Promise<number> =>
  vi.waitFor(async () => {
    const [row] = await pipeline.database.query<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity
       WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE $1`,
      [`%${statement}%`],
    );
    expect(row).toBeDefined();
    return row!.pid;
  }, PATIENCE);

/** A sealed segment of events that are past their time. */
async function oldEvents(): Promise<Segment> {
  // What other tests have stored is of today. An empty segment would be expired.
  if ((await readHotSegment(opened.db))!.blocks > 0) await sealHotSegment(opened);
  await pipeline.database.query(storing(200, { storedAt: new Date(Date.now() - 60 * DAY_MS).toISOString() }));
  return sealHotSegment(opened);
}

const countStored = async (): Promise<number> =>
  (await pipeline.database.query<{ count: number }>('SELECT count(*)::int FROM events'))[0]!.count;

it('while the detach waits for an open reader, batches are taken and stored as ever', async () => {
  const { relation } = await oldEvents();
  const reader = await pipeline.database.connect();
  await reader.query('BEGIN');
  await reader.query('SELECT count(*) FROM events');
  const expiring = expire();
  await waiting('DETACH PARTITION');

  for (let batch = 1; batch <= 5; batch += 1) {
    expect((await post(`${pipeline.ingest.url}/api/events`, { events: makeEvents(100) })).status).toBe(202);
    await pipeline.stored(batch * 100);
  }
  await waiting('DETACH PARTITION');
  // Readers continue as well, and do not see the segment that is being detached.
  expect(await pipeline.database.query('SELECT count(*)::int FROM events')).toEqual([{ count: 500 }]);

  await reader.query('COMMIT');
  await reader.end();
  expect(await expiring).toMatchObject({ dropped: [relation], events: 200, waiting: [], failures: [] });
  expect(await countStored()).toBe(500);
});

it.each(['cancel', 'terminate'])('a detach that was interrupted (%s) is finalised by the next run', async (how) => {
  const { relation } = await oldEvents();
  const before = await countStored();
  const reader = await pipeline.database.connect();
  await reader.query('BEGIN');
  await reader.query('SELECT count(*) FROM events');
  const interrupted = expire();
  await pipeline.database.query(`SELECT pg_${how}_backend($1)`, [await waiting('DETACH PARTITION')]);
  expect((await interrupted).dropped).toEqual([]);
  const pending = () =>
    pipeline.database.query('SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhdetachpending');
  expect(await pending()).toEqual([{ name: relation }]);

  // The reader is still there: the next run waits, gives up, and has changed nothing.
  expect(await expire(100)).toMatchObject({ dropped: [], waiting: [relation] });
  expect(await pending()).toEqual([{ name: relation }]);
  await reader.query('COMMIT');
  await reader.end();
  // A segment that is still pending could be dropped too, by a lock on the parent that writers wait for.
  let attached: object[] = [];
  const look: ArchiveSegment = async ({ relation: table }) => {
    attached = await pipeline.database.query('SELECT FROM pg_inherits WHERE inhrelid = $1::regclass', [table]);
    return { manifestKey: 'none' };
  };
  expect(await expire(30_000, look)).toMatchObject({ dropped: [relation], failures: [] });
  expect(attached).toEqual([]);
  expect(await countStored()).toBe(before - 200);
});
