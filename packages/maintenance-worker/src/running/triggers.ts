import { randomUUID } from 'node:crypto';
import type { Job } from '../jobs/job.ts';
import { runRequested } from './requested-runs.ts';
import { runJob, type Runner } from './run-job.ts';
import { beginScheduled, noteSkipped } from './run-rows.ts';

/**
 * Runs a job whose schedule came due. While as many runs as it allows are in motion it is skipped, and that is noted:
 * a run does all there is to do, so the next tick loses nothing.
 */
export async function runTick(job: Job, runner: Runner): Promise<void> {
  const id = randomUUID();
  const outcome = await runJob(job, (db, place) => beginScheduled(db, id, place), runner);
  if (outcome === 'busy') {
    runner.context.logger.info({ job: job.name }, 'a tick was skipped: the job still runs');
    await noteSkipped(runner.context.database.db, job.name);
    return;
  }
  await runRequested(job, runner);
}
