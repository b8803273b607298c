import { type Kysely, sql } from 'kysely';
import { ApiError } from '@sluice/errors/api-errors';
import type { Operator } from '../keys/operator-keys.ts';
import { noteAction } from '../audit/audit.ts';
import { noSuchRun } from './job-run-rows.ts';

/**
 * Cancels a run that waits or is in motion, inside the caller's transaction. Its worker looks at the state once a
 * second and tells the job to end then.
 *
 * @throws ApiError `not_found`, also for an operator of one tenant, or `conflict` when it has ended
 */
export async function cancelRun(db: Kysely<unknown>, id: string, operator: Operator): Promise<void> {
  const { rows } = await sql<{ state: string; job: string }>`
    SELECT state, job FROM job_runs WHERE id = ${id}::uuid AND ${operator.tenant}::text IS NULL FOR UPDATE`.execute(db);
  const run = rows[0];
  if (run === undefined) throw noSuchRun(id);
  if (run.state !== 'queued' && run.state !== 'running') {
    throw new ApiError('conflict', `Run ${id} is ${run.state}; cancel needs one that is queued or running.`);
  }
  await sql`
    UPDATE job_runs SET state = 'cancelled', error = ${`cancelled by ${operator.name}`}, finished_at = now()
    WHERE id = ${id}::uuid`.execute(db);
  await noteAction(db, operator, {
    action: 'jobs.cancel',
    affected: 1,
    details: { run_id: id, job: run.job, from: run.state },
  });
}
