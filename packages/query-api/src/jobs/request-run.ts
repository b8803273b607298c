import { randomUUID } from 'node:crypto';
import { type Kysely, sql } from 'kysely';
import type { Operator } from '../keys/operator-keys.ts';
import { noteAction } from '../audit/audit.ts';

/**
 * Writes down that a job is to be run, inside the caller's transaction.
 *
 * @returns the run's id
 */
export async function requestRun(
  db: Kysely<unknown>,
  request: { job: string; input: object; operator: Operator },
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
