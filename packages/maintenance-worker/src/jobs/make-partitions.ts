import { makePartitions } from '@sluice/store/layout/partitions';
import { HOUR_MS, type Job, type JobContext, type JobResult, MINUTE_MS } from './job.ts';

/** Makes the missing partitions of this week and the next two. */
export const makePartitionsJob = {
  name: 'make-partitions',
  description: 'Makes the partitions of this week and the next two',
  schedule: { everyMs: HOUR_MS },
  timeoutMs: MINUTE_MS,
  concurrency: 1,
  run: makeMissing,
} satisfies Job;

async function makeMissing({ database }: JobContext): Promise<JobResult> {
  const made = await makePartitions(database, new Date(), 2);
  return { rows: made.length, details: { made } };
}
