import { counts } from '@sluice/projections/counts/counts';
import { type Job, type JobContext, type JobResult, type JobRun, MINUTE_MS } from './job.ts';

/** Adds what was stored since the last run to the roll-ups. */
export const foldRollupsJob = {
  name: 'fold-rollups',
  description: 'Adds newly stored events to the roll-ups',
  schedule: { everyMs: 10_000 },
  timeoutMs: 5 * MINUTE_MS,
  concurrency: 1,
  run: foldRollups,
} satisfies Job;

/** A backlog is left to the next run after this long, in milliseconds, so that runs end by themselves. */
const LONGEST_RUN_MS = 60_000;

async function foldRollups({ database }: JobContext, run: JobRun): Promise<JobResult> {
  const endAt = performance.now() + LONGEST_RUN_MS;
  const goOn = (): boolean => !run.signal.aborted && performance.now() < endAt;
  const { events, end } = await counts.fold(database, { goOn, onEvents: (done) => run.progress(done) });
  return { rows: events, details: { end } };
}
