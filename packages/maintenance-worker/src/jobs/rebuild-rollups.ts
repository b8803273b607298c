import { counts } from '@sluice/projections/counts/counts';
import { HOUR_MS, type Job, type JobContext, type JobResult, type JobRun } from './job.ts';

/** Builds the roll-ups from scratch, from the events. */
export const rebuildRollupsJob = {
  name: 'rebuild-rollups',
  description: 'Builds new roll-ups from the events, then replaces the old ones',
  schedule: null,
  timeoutMs: 12 * HOUR_MS,
  concurrency: 1,
  run: rebuild,
} satisfies Job;

async function rebuild({ database }: JobContext, run: JobRun): Promise<JobResult> {
  const { signal } = run;
  return { rows: await counts.rebuild(database, { signal, progress: (done, of) => run.progress(done, of) }) };
}
