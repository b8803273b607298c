import { type Kysely, type RawBuilder, sql, type SqlBool } from 'kysely';
import type { Principal } from '@sluice/access/principal';
import { ApiError } from '@sluice/errors/api-errors';
import { payloadForReading } from '@sluice/store/read-payload';
import { comesAfter, type List, NEWEST_FIRST, type Place, type ReadRows } from '../http/paging.ts';
import { readChunk } from '../sql/read-chunk.ts';
import { utc } from '../sql/utc.ts';

/** A job as the API shows it. */
export interface JobStatus {
  readonly name: string;
  readonly schedule: { readonly every_ms: number } | { readonly cron: string } | null;
  /** True when it has not succeeded for three of its ticks. */
  readonly stale: boolean;
}

interface JobRow extends Record<string, unknown> {
  name: string;
  schedule: string | null;
  input: string;
  timeout_ms: string;
  last_run: string | null;
  stale: boolean;
}

/** Reads every job, by name. Jobs belong to the whole installation: an operator of one tenant sees none. */
export async function listJobs(db: Kysely<unknown>, operator: Principal): Promise<readonly JobStatus[]> {
  if (operator.tenant !== null) return [];
  const { rows } = await sql<JobRow>`
    SELECT name, description, schedule::text AS schedule, timeout_ms, concurrency, input::text AS input,
           ${utc('next_run_at')}, ${utc('last_succeeded_at')}, ${utc('last_skipped_at')},
           coalesce(schedule IS NOT NULL AND stale_at < now(), false) AS stale, r.last_run::text AS last_run
    FROM jobs LEFT JOIN LATERAL (
      SELECT json_build_object('id', id, 'state', state, 'trigger', trigger, 'rows', rows, 'error', error,
               'created_at', created_at, 'started_at', started_at, 'finished_at', finished_at) AS last_run
      FROM (SELECT id, state, trigger, rows, error, ${utc('created_at')}, ${utc('started_at')}, ${utc('finished_at')}
            FROM job_runs WHERE job = jobs.name ORDER BY job_runs.created_at DESC, id DESC LIMIT 1) newest
    ) r ON true ORDER BY name`.execute(db);
  return rows.map((row) => ({
    ...row,
    schedule: scheduleOf(row.schedule),
    timeout_ms: Number(row.timeout_ms),
    input: JSON.parse(row.input) as unknown,
    last_run: row.last_run === null ? null : (JSON.parse(row.last_run) as unknown),
  }));
}

/**
 * Reads the JSON schema of the input of a job.
 *
 * @throws ApiError `not_found`, also for an operator of one tenant
 */
export async function inputOfJob(db: Kysely<unknown>, name: string, operator: Principal): Promise<object> {
  const { rows } = await sql<{ input: string }>`
    SELECT input::text AS input FROM jobs WHERE name = ${name} AND ${operator.tenant}::text IS NULL`.execute(db);
  if (rows[0] === undefined) throw noSuchJob(name);
  return JSON.parse(rows[0].input) as object;
}

/** The same for one that does not exist and for one that the operator may not see. */
function noSuchJob(name: string): ApiError {
  return new ApiError('not_found', `There is no job ${name}.`);
}

function scheduleOf(text: string | null): JobStatus['schedule'] {
  if (text === null) return null;
  const schedule = JSON.parse(text) as { everyMs: number } | { cron: string };
  return 'everyMs' in schedule ? { every_ms: schedule.everyMs } : { cron: schedule.cron };
}

/** A run as the API shows it. */
export interface RunStatus {
  readonly id: string;
  readonly job: string;
  readonly state: string;
  readonly rows: number;
  readonly rows_expected: number | null;
  readonly duration_ms: number | null;
  readonly created_at: string;
}

interface RunRow extends Record<string, unknown> {
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

/** The list of all runs. */
export const JOB_RUNS: List = { of: 'runs of jobs', ...NEWEST_FIRST };

/** Selects a page of runs. */
export interface RunPage {
  /** Null for all jobs. */
  readonly job: string | null;
  readonly after: Place | undefined;
  readonly limit: number;
}

/** Reads a page of runs, newest first. An operator of one tenant sees none: jobs belong to the whole installation. */
export async function listRuns(
  db: Kysely<unknown>,
  { job, after, limit }: RunPage,
  operator: Principal,
): Promise<ReadRows<RunStatus>> {
  const ofJob = job === null ? sql<SqlBool>`true` : sql<SqlBool>`job = ${job}`;
  return readRuns(db, sql<SqlBool>`${ofJob} AND ${comesAfter(after, JOB_RUNS)}`, operator, limit);
}

/** @throws ApiError `not_found`, also for an operator of one tenant */
export async function findRun(db: Kysely<unknown>, id: string, operator: Principal): Promise<RunStatus> {
  const {
    rows: [run],
  } = await readRuns(db, sql<SqlBool>`id = ${id}::uuid`, operator, 1);
  if (run === undefined) throw noSuchRun(id);
  return run;
}

/** The same for one that does not exist and for one that the operator may not see. */
export function noSuchRun(id: string): ApiError {
  return new ApiError('not_found', `There is no run ${id}.`);
}

async function readRuns(
  db: Kysely<unknown>,
  condition: RawBuilder<SqlBool>,
  operator: Principal,
  limit: number,
): Promise<ReadRows<RunStatus>> {
  if (operator.tenant !== null) return { rows: [], cut: false };
  const found = sql`
    SELECT id, job, state, trigger, requested_by, ${payloadForReading('input')} AS input, rows, rows_expected,
           ${payloadForReading('details')} AS details, error, worker,
           round(extract(epoch FROM coalesce(finished_at, now()) - started_at) * 1000)::float8 AS duration_ms,
           ${utc('created_at')}, ${utc('started_at')}, ${utc('finished_at')}
    FROM job_runs WHERE ${condition}
    ORDER BY job_runs.created_at DESC, id DESC LIMIT ${limit}`;
  const { rows, cut } = await readChunk<RunRow>(db, found, {
    order: sql`created_at DESC, id DESC`,
    chars: sql`length(input) + length(details)`,
  });
  const runs = rows.map((row) => ({
    ...row,
    rows: Number(row.rows),
    rows_expected: row.rows_expected === null ? null : Number(row.rows_expected),
    input: JSON.parse(row.input) as unknown,
    details: JSON.parse(row.details) as unknown,
  }));
  return { rows: runs, cut };
}
