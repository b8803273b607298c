import { Queue, Worker } from 'bullmq';
import { messageOf } from '@sluice/errors/message-of';
import { jobConnection, jobsPrefix } from '@sluice/jobs/job-queues';
import type { Job } from '../jobs/job.ts';
import type { Runner } from './run-job.ts';
import { noteNextTicks } from './register-jobs.ts';
import { restAfterErrors } from './rest-after-errors.ts';
import { runTick } from './triggers.ts';
import { checkStaleness, type SchedulesState } from './stale-jobs.ts';
import { nextTicks, removeOtherSchedules, writeSchedules } from './write-schedules.ts';

/** Name of the BullMQ queue of the ticks. */
export const SCHEDULES_QUEUE = 'maintenance';

/** How often the schedules are written again, in milliseconds. */
const KEEP_MS = 30_000;

/** Scheduled runs that one worker has in motion: some may take hours, and partitions must be made meanwhile. */
export const SCHEDULED_AT_ONCE = 6;

/** Schedules in motion. */
export interface RunningSchedules {
  readonly state: SchedulesState;
  /** Writes all schedules again, revives those that stopped, and looks what is stale; never throws. */
  keep(): Promise<void>;
  /** Takes no further tick, and ends when the runs in motion have ended; the caller tells these to end. */
  stop(): Promise<void>;
}

/**
 * Writes every schedule of `jobs`, again every 30 s and whenever Redis is back, and runs what is due. Any number of
 * maintenance workers may do this: each tick is one job in Redis, which one of them takes.
 *
 * Why again and again: with the first tick that Redis refuses to write (it is over maxmemory) a schedule's chain ends
 * for good.
 *
 * @param options.registered true once the jobs are written down in Postgres; nothing begins before
 */
export function runSchedules(
  jobs: readonly Job[],
  options: { redisUrl: string; namespace: string; runner: Runner; registered: Promise<boolean>; keepMs?: number },
): RunningSchedules {
  const { runner } = options;
  const { database, logger } = runner.context;
  const shared = { connection: jobConnection(options.redisUrl), prefix: jobsPrefix(options.namespace) };
  const queue = new Queue(SCHEDULES_QUEUE, shared);
  const state: SchedulesState = { stale: [] };

  const complaints = new Map<string, string>();
  /** Does one part of the keeping; a failure is logged when it is a new one, and must not keep the others from being done. */
  const attempt = async (what: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
      complaints.delete(what);
    } catch (error) {
      const message = messageOf(error);
      if (complaints.get(what) !== message)
        logger.warn({ step: what, error: message }, 'the schedules cannot be kept; trying again');
      complaints.set(what, message);
    }
  };
  const noteNext = (): Promise<void> =>
    attempt('noting the next ticks', async () => noteNextTicks(database.db, await nextTicks(queue)));
  let keeping: Promise<void> | null = null;
  const keep = (): Promise<void> => {
    keeping ??= (async () => {
      await attempt('writing schedules', () => writeSchedules(queue, jobs));
      await attempt('looking for stale jobs', () => checkStaleness(jobs, state, { database, queue, logger }));
      await noteNext();
    })().finally(() => {
      keeping = null;
    });
    return keeping;
  };

  const worker = new Worker(
    SCHEDULES_QUEUE,
    async (tick) => {
      const job = jobs.find((each) => each.name === tick.name);
      if (job === undefined) {
        // Written again by an older version, which ran beside this one for a while.
        logger.warn({ job: tick.name }, 'a tick of a job that is not there any more; its schedule is removed');
        await queue.removeJobScheduler(tick.name);
        return;
      }
      void noteNext();
      await runTick(job, runner);
    },
    { ...shared, concurrency: SCHEDULED_AT_ONCE, autorun: false },
  );
  restAfterErrors(worker, logger);
  worker.on('failed', (tick, error) => logger.error({ job: tick?.name, err: error }, 'a tick could not be run'));
  queue.on('error', (error) => logger.debug({ error: error.message }, 'BullMQ cannot reach Redis'));

  let timer: NodeJS.Timeout | undefined;
  void options.registered.then(async (registered) => {
    if (!registered) return;
    await attempt('removing old schedules', () => removeOtherSchedules(queue, jobs));
    // Not yet what is stale: after a time without any worker everything is, until the ticks that wait are run.
    await attempt('writing schedules', () => writeSchedules(queue, jobs));
    await noteNext();
    if (runner.stopping.aborted) return;
    worker.run().catch((error: unknown) => logger.error({ err: error }, 'scheduled jobs cannot be run'));
    queue.getBackend().on('ready', () => void keep());
    timer = setInterval(() => void keep(), options.keepMs ?? KEEP_MS);
  });
  return {
    state,
    keep,
    async stop() {
      clearInterval(timer);
      await Promise.all([worker.close(), keeping]);
      await queue.close();
    },
  };
}
