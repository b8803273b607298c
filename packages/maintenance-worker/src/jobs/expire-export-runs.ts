import { sql } from 'kysely';
import { deleteInBatches } from './delete-in-batches.ts';
import type { JobContext, JobResult, JobRun } from './job.ts';

/** How long the rows of ended runs are kept; exports that run each minute make 130,000 a tenant in that time. */
const KEPT_DAYS = 90;

/**
 * Deletes runs that ended more than 90 days ago; their files stay where they are, each with its manifest. Kept are
 * archives, which stand for partitions that are dropped or are about to be; of each tenant the newest of a kind, which
 * the next one is reckoned from, or can be retried; and the run that brought its position to where it is.
 */
export async function expireExportRunsJob({ database }: JobContext, run: JobRun): Promise<JobResult> {
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
