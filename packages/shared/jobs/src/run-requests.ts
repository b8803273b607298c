import { openWakeQueue, type WakeQueue, type WakeQueueOptions } from './wake-queue.ts';

/** Name of the BullMQ queue that wakes runs of jobs that somebody asked for. */
export const RUN_REQUESTS_QUEUE = 'run-requests';

/** Tells maintenance workers of requested runs, by their ids in `job_runs`. */
export function openRunRequests(options: WakeQueueOptions): WakeQueue {
  return openWakeQueue(RUN_REQUESTS_QUEUE, options);
}
