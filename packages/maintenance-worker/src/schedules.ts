import type { Job } from './jobs/job.ts';
import { makePartitionsJob } from './jobs/make-partitions.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** Every job there is. */
export const JOBS: readonly Job[] = [
  {
    name: 'make-partitions',
    description: 'Makes the partitions of this week and the next two',
    schedule: { everyMs: HOUR_MS },
    timeoutMs: MINUTE_MS,
    concurrency: 1,
    run: makePartitionsJob,
  },
];
