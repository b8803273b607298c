import { Queue } from 'bullmq';
import { jobConnection, jobsPrefix } from './job-queues.ts';

/** Name of the BullMQ queue that wakes replays. */
export const REPLAYS_QUEUE = 'replays';

/** How long a request waits for Redis to take a job, in milliseconds. */
const WAKE_TIMEOUT_MS = 1_000;

/** What a job carries: which replay has something to do. All else is in Postgres. */
export interface ReplayJob {
  readonly id: string;
}

/** Tells maintenance workers of replays. */
export interface ReplayJobs {
  /**
   * Wakes a maintenance worker for a replay. Doing it twice, or for one that runs, does no harm.
   *
   * @throws when Redis does not take it in time; it may still get it when it is back, and if it does not, the
   *   maintenance worker's sweep finds the replay in Postgres
   */
  wake(id: string): Promise<void>;
  close(): Promise<void>;
}

/** @param onError told of what happens to the connection between two calls */
export function openReplayJobs(options: {
  redisUrl: string;
  namespace: string;
  onError: (error: Error) => void;
}): ReplayJobs {
  const queue = new Queue<ReplayJob>(REPLAYS_QUEUE, {
    connection: jobConnection(options.redisUrl),
    prefix: jobsPrefix(options.namespace),
  });
  queue.on('error', options.onError);
  return {
    async wake(id) {
      const added = queue.add('replay', { id }, { removeOnComplete: true, removeOnFail: true });
      let timer: NodeJS.Timeout | undefined;
      const tooLate = new Promise<never>((_resolve, reject) => {
        timer = setTimeout(() => reject(new Error(`no answer within ${WAKE_TIMEOUT_MS} ms`)), WAKE_TIMEOUT_MS);
      });
      try {
        await Promise.race([added, tooLate]);
      } finally {
        clearTimeout(timer);
        // What comes after the limit is nobody's any more.
        added.catch(() => {});
      }
    },
    close: () => queue.close(),
  };
}
