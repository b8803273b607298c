import { type Kysely, sql } from 'kysely';
import type { Job } from '../jobs/job.ts';
import { staleAt } from './stale-at.ts';

/** JSON schema of a job without input. */
const NO_INPUT = { type: 'object', properties: {} };

/**
 * Writes the table of jobs to Postgres, for daemons that don't have the code: the query API lists it, and checks the
 * input of requests against it. Jobs that this version does not have are deleted from it, and their waiting runs fail.
 *
 * @param scheduled whether this worker runs schedules: otherwise no job can become stale
 */
export async function registerJobs(db: Kysely<unknown>, jobs: readonly Job[], scheduled: boolean): Promise<void> {
  const now = new Date();
  const column = <T>(value: (job: Job) => T): T[] => jobs.map(value);
  await sql`
    INSERT INTO jobs AS j (name, description, schedule, timeout_ms, concurrency, input, stale_at)
    SELECT * FROM unnest(
      ${column((job) => job.name)}::text[], ${column((job) => job.description)}::text[],
      ${column((job) => (job.schedule === null ? null : JSON.stringify(job.schedule)))}::jsonb[],
      ${column((job) => job.timeoutMs)}::bigint[], ${column((job) => job.concurrency)}::integer[],
      ${column((job) => JSON.stringify({ ...(job.input ?? NO_INPUT), additionalProperties: false }))}::jsonb[],
      ${column((job) => (scheduled ? staleAt(job, now) : null))}::timestamptz[]
    ) AS i (name, description, schedule, timeout_ms, concurrency, input, stale_at) ORDER BY name
    ON CONFLICT (name) DO UPDATE SET
      description = excluded.description, schedule = excluded.schedule, timeout_ms = excluded.timeout_ms,
      concurrency = excluded.concurrency, input = excluded.input,
      stale_at = CASE WHEN j.schedule IS DISTINCT FROM excluded.schedule OR j.stale_at IS NULL
                      THEN excluded.stale_at ELSE j.stale_at END
    WHERE (j.description, j.schedule, j.timeout_ms, j.concurrency, j.input, j.stale_at IS NULL)
          IS DISTINCT FROM (excluded.description, excluded.schedule, excluded.timeout_ms, excluded.concurrency,
                            excluded.input, excluded.stale_at IS NULL)`.execute(db);
  await sql`
    WITH gone AS (DELETE FROM jobs WHERE name <> ALL(${column((job) => job.name)}::text[]))
    UPDATE job_runs SET state = 'failed', error = 'there is no such job any more', finished_at = now()
    WHERE state = 'queued' AND job <> ALL(${column((job) => job.name)}::text[])`.execute(db);
}

/**
 * Notes when each schedule ticks next, for lists. Several workers do this at once, with every tick. They lock the jobs
 * in the order of their names, as `registerJobs` does, so that they never deadlock.
 */
export async function noteNextTicks(db: Kysely<unknown>, next: ReadonlyMap<string, Date>): Promise<void> {
  await sql`
    WITH changed AS MATERIALIZED (
      SELECT jobs.name, i.next
      FROM jobs JOIN unnest(${[...next.keys()]}::text[], ${[...next.values()]}::timestamptz[]) AS i (name, next)
        ON jobs.name = i.name AND jobs.next_run_at IS DISTINCT FROM i.next
      ORDER BY jobs.name FOR UPDATE OF jobs
    )
    UPDATE jobs SET next_run_at = changed.next FROM changed WHERE jobs.name = changed.name`.execute(db);
}
