import { sql } from 'kysely';
import { deleteInBatches } from '../retention/delete-in-batches.ts';
import { HOUR_MS, type Job, type JobContext, type JobResult, type JobRun } from './job.ts';

/** Deletes ended runs from the history: all but each job's newest thousand, and all that are older than 30 days. */
export const expireHistoryJob = {
  name: 'expire-history',
  description: "Deletes ended runs of jobs, beyond each job's newest thousand or older than 30 days",
  schedule: { everyMs: HOUR_MS },
  timeoutMs: HOUR_MS / 2,
  concurrency: 1,
  run: expireHistory,
} satisfies Job;

/** Ended runs of each job that are retained, and for how long. */
const RETAINED_RUNS = 1_000;
const RETAINED_DAYS = 30;

async function expireHistory({ database }: JobContext, run: JobRun): Promise<JobResult> {
  const expired = {
    table: 'job_runs',
    where: sql`state NOT IN ('queued', 'running') AND (
      created_at < now() - make_interval(days => ${RETAINED_DAYS})
      OR id IN (SELECT id FROM (
        SELECT id, row_number() OVER (PARTITION BY job ORDER BY created_at DESC) AS place FROM job_runs
      ) placed WHERE place > ${RETAINED_RUNS}))`,
    order: sql`created_at`,
  };
  const [rows] = await deleteInBatches(database.db, [expired], run);
  return { rows: rows! };
}
