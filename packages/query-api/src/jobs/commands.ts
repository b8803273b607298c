import { randomUUID } from 'node:crypto';
import { type Kysely, sql } from 'kysely';
import type { Principal } from '@sluice/access/principal';
import { ApiError } from '@sluice/errors/api-errors';
import { noteAction } from '../audit/commands.ts';
import { noSuchRun } from './rows.ts';

/**
 * Requests a run of a job, inside the caller's transaction.
 *
 * @returns the run's id
 */
export async function requestRun(
  db: Kysely<unknown>,
  request: { job: string; input: object; operator: Principal },
): Promise<string> {
  const id = randomUUID();
  await sql`
    INSERT INTO job_runs (id, job, state, trigger, requested_by, input)
    VALUES (${id}, ${request.job}, 'queued', 'request', ${request.operator.name},
            ${JSON.stringify(request.input)}::jsonb)`.execute(db);
  await noteAction(db, request.operator, {
    action: 'jobs.run',
    affected: 1,
    details: { run_id: id, job: request.job, input: request.input },
  });
  return id;
}

/**
 * Cancels a run that waits or is running, inside the caller's transaction. The worker reads the state once a second and
 * then stops the job.
 *
 * @throws ApiError `not_found`, also for an operator of one tenant, or `conflict` when it has ended
 */
export async function cancelRun(db: Kysely<unknown>, id: string, operator: Principal): Promise<void> {
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
