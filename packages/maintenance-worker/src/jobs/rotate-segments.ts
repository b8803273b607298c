import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '@sluice/daemon/log/logger';
import type { Database } from '@sluice/store/database';
import { analyzeSegment, isAnalyzeDue } from '@sluice/store/layout/analyze-segment';
import { beginWeek, readHotSegment } from '@sluice/store/layout/hot-segment';
import { makeSegments } from '@sluice/store/layout/make-segment';
import { rotateSegment } from '@sluice/store/layout/rotate-segment';
import { summarizeBlocks } from '@sluice/store/layout/summarize-blocks';
import { type Job, type JobContext, type JobResult, type JobRun, MINUTE_MS } from './job.ts';

/**
 * Looks after the hot segment: makes the one after it, closes it when it is full or a new week has begun, analyses it at a
 * few sizes, and adds its full blocks to the index of block ranges.
 *
 * While events come in, a run does so each second until the next tick is due; a segment may fill in eight.
 */
export const rotateSegmentsJob = {
  name: 'rotate-segments',
  description: 'Makes the next segment, and closes the hot one at SEGMENT_EVENTS or at the end of the week',
  schedule: { everyMs: 10_000 },
  timeoutMs: MINUTE_MS,
  concurrency: 1,
  run: rotateSegments,
} satisfies Job;

/** Between two rounds, and after how long no further one begins, in milliseconds. */
const ROUND_MS = 1_000;
const LAST_ROUND_MS = 8_500;

async function rotateSegments({ database, config, logger }: JobContext, run: JobRun): Promise<JobResult> {
  const startedAt = performance.now();
  const tended: Tended = { made: [], closed: [] };
  let seen: Round | null = null;
  for (;;) {
    const round = await tendHotSegment(database, { segmentEvents: config.SEGMENT_EVENTS, seen, tended, logger });
    run.progress(tended.closed.length);
    const grows = seen === null ? round.blocks > 0 : round.relation !== seen.relation || round.blocks > seen.blocks;
    seen = round;
    if (!grows || performance.now() - startedAt > LAST_ROUND_MS) break;
    try {
      await delay(ROUND_MS, undefined, { signal: run.signal });
    } catch {
      break;
    }
  }
  return { rows: tended.closed.length, details: { ...tended } };
}

/** The segments that a run has made and closed. */
interface Tended {
  readonly made: string[];
  readonly closed: string[];
}

/** The hot segment at the end of a round. */
interface Round {
  readonly relation: string | null;
  readonly blocks: number;
  /** Block ranges that are in the index. */
  readonly ranges: number;
}

/** One round. @param options.seen the round before it, if there was one */
async function tendHotSegment(
  database: Database,
  options: { segmentEvents: number; seen: Round | null; tended: Tended; logger: Logger },
): Promise<Round> {
  const { segmentEvents, seen, tended, logger } = options;
  let hot = await readHotSegment(database.db);
  if (hot === null || !hot.hasNext) {
    tended.made.push(...(await makeSegments(database)));
    hot = await readHotSegment(database.db);
  }
  // Its table is gone: check-segments says so.
  if (hot === null) return { relation: null, blocks: 0, ranges: 0 };
  if (hot.isOfEarlierWeek && hot.blocks === 0) await beginWeek(database.db, hot.relation);
  if (hot.events >= segmentEvents || (hot.isOfEarlierWeek && hot.blocks > 0)) {
    const segment = hot.relation;
    if (await rotateSegment(database, segment)) {
      tended.closed.push(segment);
      tended.made.push(...(await makeSegments(database)));
      return { relation: segment, blocks: 0, ranges: 0 };
    }
    logger.warn({ segment }, 'a transaction that stores events stays open: its segment is closed later');
  }
  if (isAnalyzeDue(hot)) await analyzeSegment(database, hot.relation);
  const known = seen?.relation === hot.relation ? seen.ranges : 0;
  return { relation: hot.relation, blocks: hot.blocks, ranges: await summarizeBlocks(database, hot, known) };
}
