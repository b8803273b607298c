import { Queue, Worker } from 'bullmq';
import { jobConnection, jobsPrefix } from '@sluice/shared/jobs/job-queues';
import type { Logger } from '@sluice/shared/runtime/logger';
import { randomUUID } from 'node:crypto';
import type { JobContext } from './jobs/job.ts';
import { JOBS } from './schedules.ts';

/** Name of the one BullMQ queue. */
const QUEUE = 'maintenance';

/** How often the schedules are written again, in milliseconds. */
const UPSERT_MS = 30_000;

/** Scheduled jobs in motion. */
export interface RunningSchedules {
  /** Lets the job that runs end, and stops. */
  stop(): Promise<void>;
}

/**
 * Upserts every schedule and runs what is due. Any number of maintenance workers may do this: each tick is
 * one job in Redis, which one of them takes.
 */
export function runSchedules(options: {
  redisUrl: string;
  namespace: string;
  logger: Logger;
  context: JobContext;
}): RunningSchedules {
  const { logger, context } = options;
  const shared = {
    connection: jobConnection(options.redisUrl),
    prefix: jobsPrefix(options.namespace),
  };
  const queue = new Queue(QUEUE, shared);
  const worker = new Worker(
    QUEUE,
    async (job) => {
      const scheduled = JOBS.find((each) => each.name === job.name);
      if (scheduled === undefined) throw new Error(`no job is called ${job.name}`);
      const startedAt = performance.now();
      const { rows, details } = await scheduled.run(context, {
        id: randomUUID(),
        input: {},
        signal: AbortSignal.timeout(scheduled.timeoutMs),
        progress: () => {},
      });
      logger.info(
        { job: job.name, rows, ...details, duration_ms: Math.round(performance.now() - startedAt) },
        'job done',
      );
      return { rows };
    },
    { ...shared, concurrency: 1 },
  );
  let lastError = '';
  const onError = (error: Error): void => {
    if (error.message !== lastError) logger.warn({ error: error.message }, 'BullMQ cannot reach Redis');
    lastError = error.message;
  };
  queue.on('error', onError);
  worker.on('error', onError);
  worker.on('failed', (job, error) => logger.error({ job: job?.name, err: error }, 'job failed'));

  // One write that Redis refuses ends a scheduler's chain for good, so the schedules are written again and again.
  const upsert = async (): Promise<void> => {
    for (const { name, schedule } of JOBS) {
      if (schedule === null) continue;
      await queue.upsertJobScheduler(
        name,
        'everyMs' in schedule ? { every: schedule.everyMs } : { pattern: schedule.cron },
        { name, opts: { removeOnComplete: 100, removeOnFail: 1_000 } },
      );
    }
  };
  const upsertSafely = (): void => {
    upsert().catch((error: Error) =>
      logger.warn({ error: error.message }, 'schedules cannot be written; trying again'),
    );
  };
  upsertSafely();
  const timer = setInterval(upsertSafely, UPSERT_MS);

  return {
    async stop() {
      clearInterval(timer);
      await worker.close();
      await queue.close();
    },
  };
}
