import { randomUUID } from 'node:crypto';
import type { Job } from '../jobs/job.ts';
import { runJob, type Runner } from './run-job.ts';
import { beginScheduled, claimRequested, noteSkipped } from './run-rows.ts';

/**
 * Runs a job whose schedule came due. While all slots of the job are taken, the tick is skipped and noted as skipped: a
 * run does all the work there is, so nothing is lost.
 */
export async function runTick(job: Job, runner: Runner): Promise<void> {
  const id = randomUUID();
  const outcome = await runJob(job, (db, slot) => beginScheduled(db, id, slot), runner);
  if (outcome === 'busy') {
    runner.context.logger.info({ job: job.name }, 'a tick was skipped: the job still runs');
    await noteSkipped(runner.context.database.db, job.name);
    return;
  }
  await runRequested(job, runner);
}

/**
 * Runs the requests for a job, the oldest first, until none waits or every slot of the job is taken. The holder of a
 * slot calls this when its run ends, so that a request that found all slots taken is run then.
 *
 * @throws when Postgres cannot be reached
 */
export async function runRequested(job: Job, runner: Runner): Promise<void> {
  while (!runner.stopping.aborted) {
    if ((await runJob(job, claimRequested, runner)) !== 'ran') return;
  }
}
