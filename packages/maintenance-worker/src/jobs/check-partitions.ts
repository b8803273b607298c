import type { HealthCheck } from '@sluice/daemon/http/health';
import type { Database } from '@sluice/store/database';
import { missingPartitions } from '@sluice/store/layout/missing-partitions';
import { type Job, type JobContext, type JobResult, MINUTE_MS } from './job.ts';

/** Fails when the partition of this week or the next is missing: the log, the history and metrics show a failed run. */
export const checkPartitionsJob = {
  name: 'check-partitions',
  description: 'Fails when the partition of this week or the next is missing',
  schedule: { everyMs: MINUTE_MS },
  timeoutMs: MINUTE_MS,
  concurrency: 1,
  run: checkPartitions,
} satisfies Job;

async function checkPartitions({ database }: JobContext): Promise<JobResult> {
  const missing = await missingPartitions(database.db, new Date());
  if (missing.length === 0) return { rows: 0 };
  throw new Error(
    `no partition ${missing.join(' and ')}; writers stall without it. Run: sluice jobs run make-partitions`,
  );
}

/** The same check for `/health`, which is degraded while a partition is missing. */
export function partitionsCheck(database: Database): HealthCheck {
  return {
    name: 'partitions',
    critical: false,
    async run() {
      const missing = await missingPartitions(database.db, new Date());
      return { ok: missing.length === 0, detail: { missing } };
    },
  };
}
