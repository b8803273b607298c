import { type Kysely, sql } from 'kysely';
import type { Principal } from '@sluice/access/principal';
import { ApiError } from '@sluice/errors/api-errors';
import { ownedBy } from '../../sql/owned-by.ts';
import { utc } from '../../sql/utc.ts';

/** The job of the maintenance worker that reads an export again. */
export const VERIFY_JOB = 'verify-export';

/** A verification of an export as the API shows it: a run of a job, visible to everybody who may see the export. */
export interface Verification {
  readonly id: string;
  readonly run_id: string;
  readonly state: string;
  /** Null until it has ended; false when something differs from the manifest. */
  readonly ok: boolean | null;
  readonly problems: readonly string[];
}

interface Row extends Record<string, unknown> {
  id: string;
  run_id: string;
  state: string;
  ok: boolean | null;
  problems: string;
  rows_done: string;
  rows_expected: string | null;
}

/** @throws ApiError `not_found`, also when its export is of another tenant */
export async function findVerification(db: Kysely<unknown>, id: string, operator: Principal): Promise<Verification> {
  const { rows } = await sql<Row>`
    SELECT v.id, v.run_id, v.state, v.ok, v.problems, v.rows_done, v.rows_expected, v.error, v.requested_by,
           ${utc('created_at')}, ${utc('started_at')}, ${utc('finished_at')}
    FROM (
      SELECT id, input->>'run_id' AS run_id, state, (details->>'ok')::boolean AS ok,
             coalesce(details->'problems', '[]')::text AS problems, rows AS rows_done, rows_expected, error, requested_by,
             created_at, started_at, finished_at
      FROM job_runs WHERE id = ${id}::uuid AND job = ${VERIFY_JOB}) v
    WHERE v.run_id IN (SELECT r.id::text FROM export_runs r WHERE r.id = v.run_id::uuid AND ${ownedBy(operator)})`.execute(
    db,
  );
  const [row] = rows;
  if (row === undefined) throw new ApiError('not_found', `There is no verification ${id}.`);
  return {
    ...row,
    problems: JSON.parse(row.problems) as string[],
    rows_done: Number(row.rows_done),
    rows_expected: row.rows_expected === null ? null : Number(row.rows_expected),
  } as Verification;
}
