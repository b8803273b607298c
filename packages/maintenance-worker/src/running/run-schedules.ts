import { Queue, Worker } from 'bullmq';
import { Outage } from '@sluice/daemon/log/outage';
import { messageOf } from '@sluice/errors/message-of';
import { bullmqConnection, bullmqPrefix } from '@sluice/jobs/bullmq-connection';
import type { Job } from '../jobs/job.ts';
import { noteNextTicks } from './register-jobs.ts';
import { restAfterErrors } from './rest-after-errors.ts';
import type { Runner } from './run-job.ts';
import { checkStaleness, type SchedulesState } from './stale-jobs.ts';
import { TIMINGS } from './timings.ts';
import { runTick } from './triggers.ts';
import { nextTicks, removeOtherSchedules, writeSchedules } from './write-schedules.ts';

/** Name of the BullMQ queue of the ticks. */
export const SCHEDULES_QUEUE = 'maintenance';

/** Scheduled runs that one worker runs at the same time: some take hours, and partitions must be made meanwhile. */
export const SCHEDULED_AT_ONCE = 6;

/** Running schedules. */
export interface RunningSchedules {
  readonly state: SchedulesState;
  /** Writes all schedules again, restarts silent ones, and finds stale jobs; never throws. */
  refresh(): Promise<void>;
  /** Takes no further tick and waits for the running jobs; `runner.stopping` ends them. */
  stop(): Promise<void>;
}

/**
 * Writes every schedule of `jobs` and runs what is due. Any number of maintenance workers may do this: each tick is one
 * job in Redis, which one of them takes.
 *
 * Schedules are written again every 30 s and whenever Redis is back, because one tick that Redis refuses to write (it
 * is over maxmemory) ends a BullMQ schedule for good.
 *
 * @param options.registered true once the jobs are in Postgres; nothing begins before
 */
export function runSchedules(
  jobs: readonly Job[],
  options: { redisUrl: string; namespace: string; runner: Runner; registered: Promise<boolean> },
): RunningSchedules {
  const { runner } = options;
  const { database, logger } = runner.context;
  const { refreshMs } = { ...TIMINGS, ...runner.timings };
  const shared = { connection: bullmqConnection(options.redisUrl), prefix: bullmqPrefix(options.namespace) };
  const queue = new Queue(SCHEDULES_QUEUE, shared);
  const state: SchedulesState = { stale: [] };

  const complaints = new Map<string, string>();
  /** Does one step of a refresh. Logs a new failure once; the other steps follow in any case. */
  const attempt = async (what: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
      complaints.delete(what);
    } catch (error) {
      const message = messageOf(error);
      if (complaints.get(what) !== message)
        logger.warn({ step: what, error: message }, 'schedules not refreshed; retrying');
      complaints.set(what, message);
    }
  };
  const noteNext = (): Promise<void> =>
    attempt('noting the next ticks', async () => noteNextTicks(database.db, await nextTicks(queue)));
  let refreshing: Promise<void> | null = null;
  const refresh = (): Promise<void> => {
    refreshing ??= (async () => {
      await attempt('writing schedules', () => writeSchedules(queue, jobs));
      await attempt('looking for stale jobs', () => checkStaleness(jobs, state, { database, queue, logger }));
      await noteNext();
    })().finally(() => {
      refreshing = null;
    });
    return refreshing;
  };

  const worker = new Worker(
    SCHEDULES_QUEUE,
    async (tick) => {
      const job = jobs.find((each) => each.name === tick.name);
      if (job === undefined) {
        // An older version that ran at the same time has written it again.
        logger.warn({ job: tick.name }, 'unknown job scheduled; schedule removed');
        await queue.removeJobScheduler(tick.name);
        return;
      }
      void noteNext();
      await runTick(job, runner);
    },
    { ...shared, concurrency: SCHEDULED_AT_ONCE, autorun: false },
  );
  restAfterErrors(worker, logger);
  const outage = new Outage();
  worker.on('completed', () => outage.over());
  worker.on('failed', (tick, error) => {
    if (outage.news(error) !== null) logger.error({ job: tick?.name, err: error }, 'a tick could not be run');
    else logger.debug({ job: tick?.name, err: error }, 'a tick could not be run');
  });
  queue.on('error', (error) => logger.debug({ error: error.message }, 'BullMQ cannot reach Redis'));

  let timer: NodeJS.Timeout | undefined;
  void options.registered.then(async (registered) => {
    if (!registered) return;
    await attempt('removing old schedules', () => removeOtherSchedules(queue, jobs));
    // Not yet what is stale: after a time without any worker everything is, until the ticks that wait are run.
    await attempt('writing schedules', () => writeSchedules(queue, jobs));
    await noteNext();
    if (runner.stopping.aborted) return;
    worker
      .run()
      .catch((error: unknown) =>
        logger.error({ kind: 'schedule', err: error }, 'BullMQ worker ended; restart the daemon'),
      );
    queue.getBackend().on('ready', () => void refresh());
    timer = setInterval(() => void refresh(), refreshMs);
  });
  return {
    state,
    refresh,
    async stop() {
      clearInterval(timer);
      await Promise.all([worker.close(), refreshing]);
      await queue.close();
    },
  };
}
