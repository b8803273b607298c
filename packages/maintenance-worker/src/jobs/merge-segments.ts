import { Type } from 'typebox';
import type { Database } from '@sluice/store/database';
import { replaceSegments } from '@sluice/store/layout/replace-segments';
import { listSegments, type Segment } from '@sluice/store/layout/segments';
import { whileOldSegmentsAreMine } from '../retention/old-segments-lock.ts';
import { HOUR_MS, type Job, type JobContext, type JobResult, type JobRun, MINUTE_MS } from './job.ts';

/**
 * Makes one segment of ten neighbours, while there are more than a hundred: planning a query that cannot prune them costs 4 to
 * 8 ms with 98. It takes the cheapest ten, so that segments of a size are merged with each other.
 */
export const mergeSegmentsJob = {
  name: 'merge-segments',
  description: 'Makes one segment of ten neighbours, while there are more than a hundred; a row is an event',
  schedule: { everyMs: 10 * MINUTE_MS },
  timeoutMs: 6 * HOUR_MS,
  concurrency: 1,
  input: Type.Object(
    {
      more_than: Type.Optional(
        Type.Integer({ minimum: 10, description: 'Merge while there are more segments than this, instead of 100.' }),
      ),
    },
    { additionalProperties: false },
  ),
  run: mergeSegments,
} satisfies Job;

/** As many segments are left as they are. */
const ENOUGH_SEGMENTS = 100;

/** How many become one. */
const NEIGHBOURS = 10;

/** Longest time that a merged segment spans, in milliseconds: retention deletes it when its last event is past. */
const LONGEST_SPAN_MS = 7 * 24 * HOUR_MS;

/** Most events of a merged segment: copying and indexing it takes minutes. */
const MOST_EVENTS = 50_000_000;

async function mergeSegments({ database, logger }: JobContext, run: JobRun): Promise<JobResult> {
  const merged: string[] = [];
  let events = 0;
  let waiting = false;
  const enough = (run.input['more_than'] as number | undefined) ?? ENOUGH_SEGMENTS;
  while (!run.signal.aborted && !waiting) {
    const segments = await listSegments(database.db);
    // Sealing comes first: what is closed is slow to search.
    if (segments.some(({ state }) => state === 'closed')) break;
    const group = cheapestNeighbours(segments, enough);
    if (group === null) break;
    const startedAt = performance.now();
    const made = await whileOldSegmentsAreMine(database, run.signal, () => merge(database, group, run.signal));
    if (made === null) waiting = true;
    else {
      events += sizeOf(group);
      merged.push(made);
      run.progress(events);
      const segment = { segment: made, segments: group.length, events: sizeOf(group) };
      logger.info({ ...segment, duration_ms: Math.round(performance.now() - startedAt) }, 'segments merged');
    }
  }
  return { rows: events, details: { merged, waiting } };
}

/** @returns null when transactions have the segments open */
function merge(database: Database, group: readonly Segment[], signal: AbortSignal): Promise<string | null> {
  return replaceSegments(
    database,
    group.map((segment) => ({ segment, keep: null, keepers: null })),
    signal,
  );
}

/**
 * The ten neighbours with the fewest events, the oldest of these.
 *
 * @param segments all, oldest first
 * @param enough as many are left as they are
 * @returns null when there are few segments, or none that may be merged
 */
function cheapestNeighbours(segments: readonly Segment[], enough: number): readonly Segment[] | null {
  if (segments.length <= enough) return null;
  let cheapest: readonly Segment[] | null = null;
  for (let at = 0; at + NEIGHBOURS <= segments.length; at += 1) {
    const group = segments.slice(at, at + NEIGHBOURS);
    if (mayMerge(group) && (cheapest === null || sizeOf(group) < sizeOf(cheapest))) cheapest = group;
  }
  return cheapest;
}

/** Weekly partitions of 0.1.0 have the number 0: they stay. */
function mayMerge(group: readonly Segment[]): boolean {
  if (group.some(({ from, state }) => from === 0 || state !== 'sealed') || sizeOf(group) > MOST_EVENTS) return false;
  const times = group.flatMap(({ storedFrom, storedTo }) =>
    storedFrom === null || storedTo === null ? [] : [Date.parse(storedFrom), Date.parse(storedTo)],
  );
  return times.length === 0 || Math.max(...times) - Math.min(...times) <= LONGEST_SPAN_MS;
}

const sizeOf = (group: readonly Segment[]): number => group.reduce((sum, { rows }) => sum + (rows ?? 0), 0);
