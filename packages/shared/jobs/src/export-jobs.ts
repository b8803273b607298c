import { openWakeQueue, type WakeQueue, type WakeQueueOptions } from './wake-queue.ts';

/** Name of the BullMQ queue that wakes exports. */
export const EXPORTS_QUEUE = 'exports';

/** Tells maintenance workers of exports, by their ids in `export_runs`. */
export function openExportJobs(options: WakeQueueOptions): WakeQueue {
  return openWakeQueue(EXPORTS_QUEUE, options);
}
