import type { Database } from '@sluice/store/database';
import { sealSegment } from '@sluice/store/layout/seal-segment';
import { listSegments, type Segment } from '@sluice/store/layout/segments';
import { HOUR_MS, type Job, type JobContext, type JobResult, type JobRun } from './job.ts';

/** Builds the indexes of closed segments, one segment after the other, the oldest first. */
export const sealSegmentsJob = {
  name: 'seal-segments',
  description: 'Builds the indexes of closed segments; a row is an event',
  schedule: { everyMs: 5_000 },
  timeoutMs: 12 * HOUR_MS,
  concurrency: 1,
  run: sealSegments,
} satisfies Job;

async function sealSegments({ database, logger }: JobContext, run: JobRun): Promise<JobResult> {
  const sealed: string[] = [];
  let events = 0;
  for (;;) {
    const [oldest] = await closedSegments(database);
    if (oldest === undefined || run.signal.aborted) break;
    const startedAt = performance.now();
    // Another worker's run lost the lock of its slot and has not ended yet.
    if (!(await sealSegment(database, oldest.relation, run.signal))) break;
    const { rows } = (await listSegments(database.db)).find(({ relation }) => relation === oldest.relation) ?? {};
    events += rows ?? 0;
    sealed.push(oldest.relation);
    run.progress(events);
    const durationMs = Math.round(performance.now() - startedAt);
    logger.info({ segment: oldest.relation, events: rows, duration_ms: durationMs }, 'segment sealed');
  }
  return { rows: events, details: { sealed } };
}

async function closedSegments({ db }: Database): Promise<Segment[]> {
  return (await listSegments(db)).filter(({ state }) => state === 'closed');
}
