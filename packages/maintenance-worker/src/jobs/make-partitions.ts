import { makePartitions } from '@sluice/store/layout/partitions';
import { PARTITIONS_AHEAD } from '@sluice/store/prepare-database';
import type { JobContext, JobResult } from './job.ts';

/** Makes the partitions of this week and the next two, where they are missing. */
export async function makePartitionsJob({ database }: JobContext): Promise<JobResult> {
  const made = await makePartitions(database, new Date(), PARTITIONS_AHEAD);
  return { rows: made.length, details: { made } };
}
