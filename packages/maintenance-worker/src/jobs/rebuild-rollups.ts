import { PROJECTIONS } from '@sluice/projections/all-projections';
import { rebuildFolded } from '@sluice/projections/fold/rebuild';
import { HOUR_MS, type Job, type JobContext, type JobResult, type JobRun } from './job.ts';

/** Builds the roll-ups and the sessions from scratch, from the events. */
export const rebuildRollupsJob = {
  name: 'rebuild-rollups',
  description: 'Builds new roll-ups and sessions from the events, then replaces the old ones',
  schedule: null,
  timeoutMs: 12 * HOUR_MS,
  concurrency: 1,
  run: rebuild,
} satisfies Job;

async function rebuild({ database }: JobContext, run: JobRun): Promise<JobResult> {
  const { signal } = run;
  return {
    rows: await rebuildFolded(database, PROJECTIONS, { signal, progress: (done, of) => run.progress(done, of) }),
  };
}
