/** Name of the queue, for the three that use it. */
export const BULLMQ_QUEUE = 'bench-batches';
