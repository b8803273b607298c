import { sql } from 'kysely';
import { deleteInBatches } from '../retention/delete-in-batches.ts';
import { HOUR_MS, type Job, type JobContext, type JobResult, type JobRun } from './job.ts';

/**
 * Deletes runs that ended more than 90 days ago; their files and manifests stay. It retains:
 *
 * - archives, because they replace partitions that are dropped or about to be
 * - each tenant's newest run of a trigger, because the next one is due by its time, and it can be retried
 * - the run that moved the tenant's position to where it is
 */
export const expireExportRunsJob = {
  name: 'expire-export-runs',
  description: "Deletes export runs that ended more than 90 days ago, but not each tenant's newest; files stay",
  schedule: { everyMs: HOUR_MS },
  timeoutMs: HOUR_MS / 2,
  concurrency: 1,
  run: expireExportRuns,
} satisfies Job;

/** How long the rows of ended runs are retained; a tenant that is exported each minute has 130,000 in that time. */
const RETAINED_DAYS = 90;

async function expireExportRuns({ database }: JobContext, run: JobRun): Promise<JobResult> {
  const expired = {
    table: 'export_runs',
    where: sql`state IN ('succeeded', 'failed', 'cancelled') AND trigger <> 'archive'
      AND finished_at < now() - make_interval(days => ${RETAINED_DAYS})
      AND NOT EXISTS (SELECT FROM export_positions p WHERE p.run_id = export_runs.id)
      AND EXISTS (SELECT FROM export_runs later
                  WHERE later.tenant = export_runs.tenant AND later.trigger = export_runs.trigger
                    AND later.created_at > export_runs.created_at)`,
    order: sql`created_at`,
  };
  const [rows] = await deleteInBatches(database.db, [expired], run);
  return { rows: rows! };
}
