import { claimRequested } from './run-rows.ts';
import { runJob, type Runner } from './run-job.ts';
import type { Job } from '../jobs/job.ts';

/**
 * Runs what was asked for of a job, the oldest first, until nothing waits or every place of it is taken. Whoever holds
 * a place then calls this when it becomes free, so a run that found them all taken is not forgotten.
 *
 * @throws when Postgres cannot be reached
 */
export async function runRequested(job: Job, runner: Runner): Promise<void> {
  while (!runner.stopping.aborted) {
    if ((await runJob(job, claimRequested, runner)) !== 'ran') return;
  }
}
