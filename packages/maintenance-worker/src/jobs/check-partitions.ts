import { missingPartitions } from '@sluice/store/layout/missing-partitions';
import type { JobContext, JobResult } from './job.ts';

/**
 * Looks whether the partitions of this week and the next are there.
 *
 * @throws when one is missing: a run that failed is in the log, in the history and in the metrics
 */
export async function checkPartitionsJob({ database }: JobContext): Promise<JobResult> {
  const missing = await missingPartitions(database.db, new Date());
  if (missing.length === 0) return { rows: 0 };
  throw new Error(
    `no partition ${missing.join(' and ')}; writers stall without it. Run: sluice jobs run make-partitions`,
  );
}
