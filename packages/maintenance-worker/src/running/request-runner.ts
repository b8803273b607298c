import { Worker } from 'bullmq';
import { withAdvisoryLock } from '@sluice/store/advisory-lock';
import { jobConnection, jobsPrefix } from '@sluice/jobs/job-queues';
import { openRunRequests, RUN_REQUESTS_QUEUE } from '@sluice/jobs/run-requests';
import type { WakeJob } from '@sluice/jobs/wake-queue';
import { Outage } from '@sluice/daemon/log/outage';
import type { Job } from '../jobs/job.ts';
import { slotLock } from './job-slot.ts';
import { runRequested } from './requested-runs.ts';
import type { Runner } from './run-job.ts';
import { failOrphans, jobOfRun, placesInUse, queuedRuns } from './run-rows.ts';
import { restAfterErrors } from './rest-after-errors.ts';

/** How often Postgres is asked for runs that nobody was woken for, and for runs of dead workers, in milliseconds. */
const SWEEP_MS = 30_000;

/** Most runs that a sweep wakes workers for. */
const WAKE_AT_ONCE = 100;

/** Requested runs that one worker has in motion. */
export const REQUESTED_AT_ONCE = 3;

/** Requested runs in motion. */
export interface RunningRequests {
  /** Looks for what was asked for and for what dead workers left; never throws. */
  sweep(): Promise<void>;
  /** Takes nothing further, and ends when the runs in motion have ended; the caller tells these to end. */
  stop(): Promise<void>;
}

/**
 * Runs what operators ask for. The row in `job_runs` is the truth: a BullMQ job only wakes, and what is lost with Redis,
 * or was asked for while Redis was away, is found by a sweep at the start and every 30 s.
 *
 * @param options.registered true once the jobs are written down in Postgres; nothing begins before
 */
export function runRequests(
  jobs: readonly Job[],
  options: { redisUrl: string; namespace: string; runner: Runner; registered: Promise<boolean>; sweepMs?: number },
): RunningRequests {
  const { runner } = options;
  const { database, logger } = runner.context;
  const queue = openRunRequests({
    redisUrl: options.redisUrl,
    namespace: options.namespace,
    onError: (error) => logger.debug({ error: error.message }, 'BullMQ cannot reach Redis'),
  });
  const worker = new Worker<WakeJob>(
    RUN_REQUESTS_QUEUE,
    async (wake) => {
      runner.requests.note(wake.data.id, wake.data.traceparent);
      const name = await jobOfRun(database.db, wake.data.id);
      const job = jobs.find((each) => each.name === name);
      if (job !== undefined) await runRequested(job, runner);
    },
    {
      connection: jobConnection(options.redisUrl),
      prefix: jobsPrefix(options.namespace),
      concurrency: REQUESTED_AT_ONCE,
      autorun: false,
    },
  );
  restAfterErrors(worker, logger);
  worker.on('failed', (_wake, error) => logger.warn({ error: error.message }, 'a run could not begin; trying again'));

  const outage = new Outage();
  const sweep = async (): Promise<void> => {
    try {
      for (const place of await placesInUse(database.db)) {
        await withAdvisoryLock(database, slotLock(place.job, place.slot), (db) => failOrphans(db, place));
      }
      for (const id of await queuedRuns(database.db, WAKE_AT_ONCE)) await queue.wake(id);
      outage.over();
    } catch (error) {
      const reason = outage.news(error);
      if (reason !== null) logger.warn({ error: reason }, 'requested runs cannot be looked for; trying again');
    }
  };
  let sweeping = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  void options.registered.then((registered) => {
    if (!registered) return;
    worker.run().catch((error: unknown) => logger.error({ err: error }, 'requested runs cannot be run'));
    sweeping = sweep();
    timer = setInterval(() => {
      sweeping = sweep();
    }, options.sweepMs ?? SWEEP_MS);
  });

  return {
    sweep,
    async stop() {
      clearInterval(timer);
      await Promise.all([worker.close(), sweeping]);
      await queue.close();
    },
  };
}
