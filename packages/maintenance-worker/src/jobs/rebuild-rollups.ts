import { rebuildRollups } from '@sluice/projections/counts/rebuild';
import type { JobContext, JobResult, JobRun } from './job.ts';

/** Builds the roll-ups anew from the events. */
export async function rebuildRollupsJob({ database }: JobContext, run: JobRun): Promise<JobResult> {
  const { signal } = run;
  return { rows: await rebuildRollups(database, { signal, progress: (done, of) => run.progress(done, of) }) };
}
