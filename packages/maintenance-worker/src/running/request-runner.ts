import { withAdvisoryLock } from '@sluice/store/advisory-lock';
import type { Job } from '../jobs/job.ts';
import { slotLock } from './job-slot.ts';
import type { Runner } from './run-job.ts';
import { failOrphans, jobOfRun, slotsInUse, queuedRuns } from './run-rows.ts';
import { runRequested } from './triggers.ts';
import { startWakeRunner, type WakeRunner } from './wake-runner.ts';

/** Most runs that a sweep wakes workers for. */
const WAKE_AT_ONCE = 100;

/** Requested runs that one worker runs at the same time. */
export const REQUESTED_AT_ONCE = 3;

/**
 * Runs the jobs that operators request. The row in `job_runs` is the truth. The sweep also fails the runs of dead
 * workers.
 *
 * `stop` waits for the runs; `runner.stopping` is what ends them.
 *
 * @param options.registered true once the jobs are in Postgres; nothing begins before
 */
export function runRequests(
  jobs: readonly Job[],
  options: { redisUrl: string; namespace: string; runner: Runner; registered: Promise<boolean> },
): WakeRunner {
  const { redisUrl, namespace, registered, runner } = options;
  const { database, logger } = runner.context;
  return startWakeRunner({
    kind: 'run',
    redisUrl,
    namespace,
    logger,
    registered,
    atOnce: REQUESTED_AT_ONCE,
    timings: runner.timings,
    async work({ id, traceparent }) {
      runner.requests.note(id, traceparent);
      const name = await jobOfRun(database.db, id);
      const job = jobs.find((each) => each.name === name);
      if (job !== undefined) await runRequested(job, runner);
      return 0;
    },
    async due() {
      for (const slot of await slotsInUse(database.db)) {
        await withAdvisoryLock(database, slotLock(slot.job, slot.slot), (db) => failOrphans(db, slot));
      }
      return queuedRuns(database.db, WAKE_AT_ONCE);
    },
  });
}
