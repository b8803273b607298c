import { openWakeQueue, type WakeQueue, type WakeQueueOptions } from './wake-queue.ts';

/** Name of the BullMQ queue that wakes replays. */
export const REPLAYS_QUEUE = 'replays';

/** Tells maintenance workers of replays, by their ids in `replays`. */
export function openReplayJobs(options: WakeQueueOptions): WakeQueue {
  return openWakeQueue(REPLAYS_QUEUE, options);
}
