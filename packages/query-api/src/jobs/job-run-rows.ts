import { type Kysely, type RawBuilder, type SqlBool, sql } from 'kysely';
import { ApiError } from '@sluice/errors/api-errors';
import { isUuid } from '@sluice/events/event-id';
import { parseTimestamp } from '@sluice/events/timestamp';
import type { Operator } from '../keys/operator-keys.ts';
import { utc } from '../http/utc.ts';

/** A run as the API tells of it. */
export interface RunStatus {
  readonly id: string;
  readonly job: string;
  readonly state: string;
  readonly rows: number;
  readonly rows_expected: number | null;
  readonly duration_ms: number | null;
  readonly created_at: string;
}

interface Row extends Record<string, unknown> {
  id: string;
  job: string;
  state: string;
  rows: string;
  rows_expected: string | null;
  duration_ms: number | null;
  created_at: string;
  input: string;
  details: string;
}

/** Which runs a page has. */
export interface RunPage {
  /** Of all jobs when left out. */
  readonly job?: string;
  readonly cursor: string | undefined;
  readonly limit: number;
}

/** Runs, newest first. An operator of one tenant sees none: jobs are of the whole installation. */
export async function listRuns(
  db: Kysely<unknown>,
  { job, cursor, limit }: RunPage,
  operator: Operator,
): Promise<readonly RunStatus[]> {
  const ofJob = job === undefined ? sql<SqlBool>`true` : sql<SqlBool>`job = ${job}`;
  return readRuns(db, sql<SqlBool>`${ofJob} AND ${before(cursor)}`, operator, limit);
}

/** @throws ApiError `not_found`, also for an operator of one tenant */
export async function findRun(db: Kysely<unknown>, id: string, operator: Operator): Promise<RunStatus> {
  const [run] = await readRuns(db, sql<SqlBool>`id = ${id}::uuid`, operator, 1);
  if (run === undefined) throw noSuchRun(id);
  return run;
}

/** The same for one that does not exist and for whoever may not see it. */
export function noSuchRun(id: string): ApiError {
  return new ApiError('not_found', `There is no run ${id}.`);
}

/** The opaque text behind which the next page starts; the run itself may be gone by then. */
export function cursorAfterRun({ created_at: at, id }: RunStatus): string {
  return Buffer.from(`${at} ${id}`).toString('base64url');
}

async function readRuns(
  db: Kysely<unknown>,
  condition: RawBuilder<SqlBool>,
  operator: Operator,
  limit: number,
): Promise<readonly RunStatus[]> {
  if (operator.tenant !== null) return [];
  const { rows } = await sql<Row>`
    SELECT id, job, state, trigger, requested_by, input::text AS input, rows, rows_expected,
           details::text AS details, error, worker,
           round(extract(epoch FROM coalesce(finished_at, now()) - started_at) * 1000)::float8 AS duration_ms,
           ${utc('created_at')}, ${utc('started_at')}, ${utc('finished_at')}
    FROM job_runs WHERE ${condition}
    ORDER BY job_runs.created_at DESC, id DESC LIMIT ${limit}`.execute(db);
  return rows.map((row) => ({
    ...row,
    rows: Number(row.rows),
    rows_expected: row.rows_expected === null ? null : Number(row.rows_expected),
    input: JSON.parse(row.input) as unknown,
    details: JSON.parse(row.details) as unknown,
  }));
}

function before(cursor: string | undefined): RawBuilder<SqlBool> {
  if (cursor === undefined) return sql<SqlBool>`true`;
  const text = Buffer.from(cursor, 'base64url').toString();
  const [, at, id] = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) (.*)$/.exec(text) ?? [];
  if (at === undefined || parseTimestamp(at) === null || !isUuid(id!))
    throw new ApiError('invalid_request', 'cursor is not one that a list has given.');
  return sql<SqlBool>`(created_at, id) < (${at}::timestamptz, ${id}::uuid)`;
}
