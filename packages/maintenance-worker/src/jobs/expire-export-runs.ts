import { sql } from 'kysely';
import { deleteInBatches } from '../retention/delete-in-batches.ts';
import { HOUR_MS, type Job, type JobContext, type JobResult, type JobRun } from './job.ts';

/**
 * Deletes runs that ended more than 90 days ago; their files stay where they are, each with its manifest. Kept are
 * archives, which stand for partitions that are dropped or are about to be; of each tenant the newest of a kind, which
 * the next one is reckoned from, or can be retried; and the run that brought its position to where it is.
 */
export const expireExportRunsJob = {
  name: 'expire-export-runs',
  description: "Deletes export runs that ended more than 90 days ago, but not each tenant's newest; files stay",
  schedule: { everyMs: HOUR_MS },
  timeoutMs: HOUR_MS / 2,
  concurrency: 1,
  run: expireExportRuns,
} satisfies Job;

/** How long the rows of ended runs are kept; exports that run each minute make 130,000 a tenant in that time. */
const KEPT_DAYS = 90;

async function expireExportRuns({ database }: JobContext, run: JobRun): Promise<JobResult> {
  const old = {
    table: 'export_runs',
    where: sql`state IN ('succeeded', 'failed', 'cancelled') AND trigger <> 'archive'
      AND finished_at < now() - make_interval(days => ${KEPT_DAYS})
      AND NOT EXISTS (SELECT FROM export_positions p WHERE p.run_id = export_runs.id)
      AND EXISTS (SELECT FROM export_runs later
                  WHERE later.tenant = export_runs.tenant AND later.trigger = export_runs.trigger
                    AND later.created_at > export_runs.created_at)`,
    order: sql`created_at`,
  };
  return { rows: await deleteInBatches(database.db, old, run) };
}
