import { type Kysely, sql } from 'kysely';

/** A run that a worker has begun. */
export interface BegunRun {
  readonly id: string;
  readonly input: Readonly<Record<string, unknown>>;
  readonly trigger: 'schedule' | 'request';
}

/** The slot that a run takes, and the worker that runs it. */
export interface RunSlot {
  readonly job: string;
  readonly slot: number;
  /** Host and process. */
  readonly worker: string;
}

/** The progress of a run. */
export interface Progress {
  readonly rows: number;
  readonly rowsExpected: number | null;
}

/** The end of a run. */
export interface EndOfRun extends Progress {
  readonly state: 'succeeded' | 'failed' | 'cancelled';
  readonly details: object;
  readonly error: string | null;
  /** When the next success is expected at the latest; null when the run failed or the job has no schedule. */
  readonly staleAt: Date | null;
}

/** The error of a run whose worker is gone. */
const DIED = 'the worker died, or lost its connection to PostgreSQL';

/** Inserts a scheduled run as running. The caller holds the lock of its slot. */
export async function beginScheduled(db: Kysely<unknown>, id: string, slot: RunSlot): Promise<BegunRun> {
  await failOrphans(db, slot);
  await sql`
    WITH tick AS (UPDATE jobs SET last_tick_at = now() WHERE name = ${slot.job})
    INSERT INTO job_runs (id, job, state, trigger, worker, slot, started_at)
    VALUES (${id}, ${slot.job}, 'running', 'schedule', ${slot.worker}, ${slot.slot}, now())`.execute(db);
  return { id, input: {}, trigger: 'schedule' };
}

/** Takes the oldest waiting request; null when there is none. The caller holds the lock of its slot. */
export async function claimRequested(db: Kysely<unknown>, slot: RunSlot): Promise<BegunRun | null> {
  await failOrphans(db, slot);
  const { rows } = await sql<{ id: string; input: string }>`
    UPDATE job_runs SET state = 'running', worker = ${slot.worker}, slot = ${slot.slot}, started_at = now()
    WHERE id = (
      SELECT id FROM job_runs WHERE job = ${slot.job} AND state = 'queued'
      ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED
    ) RETURNING id, input::text AS input`.execute(db);
  const row = rows[0];
  if (row === undefined) return null;
  return { id: row.id, input: JSON.parse(row.input) as BegunRun['input'], trigger: 'request' };
}

/**
 * Fails the runs of dead workers in a slot. The holder of the slot's lock calls this: no other run in it can be alive.
 */
export async function failOrphans(db: Kysely<unknown>, { job, slot }: Omit<RunSlot, 'worker'>): Promise<void> {
  await sql`
    UPDATE job_runs SET state = 'failed', error = ${DIED}, finished_at = now()
    WHERE job = ${job} AND state = 'running' AND slot = ${slot}`.execute(db);
}

/** Slots whose run is marked as running; its worker may be dead. */
export async function slotsInUse(db: Kysely<unknown>): Promise<readonly { job: string; slot: number }[]> {
  const { rows } = await sql<{ job: string; slot: number }>`
    SELECT DISTINCT job, slot FROM job_runs WHERE state = 'running'`.execute(db);
  return rows;
}

/** Ids of waiting runs, the oldest first, `limit` at most. */
export async function queuedRuns(db: Kysely<unknown>, limit: number): Promise<readonly string[]> {
  const { rows } = await sql<{ id: string }>`
    SELECT id FROM job_runs WHERE state = 'queued' ORDER BY created_at LIMIT ${limit}`.execute(db);
  return rows.map((row) => row.id);
}

/** The job of a run; undefined when there is no such run. */
export async function jobOfRun(db: Kysely<unknown>, id: string): Promise<string | undefined> {
  const { rows } = await sql<{ job: string }>`SELECT job FROM job_runs WHERE id = ${id}::uuid`.execute(db);
  return rows[0]?.job;
}

/** Notes that a schedule came due while all slots of the job were taken. */
export async function noteSkipped(db: Kysely<unknown>, job: string): Promise<void> {
  await sql`UPDATE jobs SET last_tick_at = now(), last_skipped_at = now() WHERE name = ${job}`.execute(db);
}

/**
 * Writes the progress of a run and reads its state.
 *
 * @param progress null when nothing has changed
 * @returns the state of the run: an operator may have cancelled it
 */
export async function showProgress(db: Kysely<unknown>, id: string, progress: Progress | null): Promise<string> {
  const { rows } =
    progress === null
      ? await sql<{ state: string }>`SELECT state FROM job_runs WHERE id = ${id}::uuid`.execute(db)
      : await sql<{ state: string }>`
          UPDATE job_runs SET rows = ${progress.rows}, rows_expected = ${progress.rowsExpected}
          WHERE id = ${id}::uuid RETURNING state`.execute(db);
  return rows[0]?.state ?? 'gone';
}

/**
 * Writes the end of a run. A run that was cancelled meanwhile stays cancelled; one that another worker gave up as dead
 * stays failed. Of scheduled runs without work only the newest stays, because a job that runs every minute would push
 * everything else out of the history.
 *
 * @returns the state that the run ended in
 */
export async function endRun(
  db: Kysely<unknown>,
  { job, id }: { job: string; id: string },
  end: EndOfRun,
): Promise<EndOfRun['state']> {
  const { rows } = await sql<{ state: EndOfRun['state'] }>`
    WITH ended AS (
      UPDATE job_runs SET
        state = CASE state WHEN 'running' THEN ${end.state} ELSE state END,
        error = CASE state WHEN 'running' THEN ${end.error} ELSE error END,
        rows = ${end.rows}, rows_expected = ${end.rowsExpected}, details = ${JSON.stringify(end.details)}::jsonb,
        finished_at = now()
      WHERE id = ${id}::uuid AND state IN ('running', 'cancelled')
      RETURNING state, trigger, rows
    ), fresh AS (
      UPDATE jobs SET last_succeeded_at = now(),
        stale_at = CASE WHEN stale_at IS NOT NULL THEN coalesce(${end.staleAt}, stale_at) END
      FROM ended WHERE name = ${job} AND ended.state = 'succeeded'
    ), idle AS (
      DELETE FROM job_runs r USING ended
      WHERE ended.state = 'succeeded' AND ended.trigger = 'schedule' AND ended.rows = 0
        AND r.job = ${job} AND r.trigger = 'schedule' AND r.state = 'succeeded' AND r.rows = 0
        AND r.id <> ${id}::uuid
    )
    SELECT state FROM ended`.execute(db);
  // Another worker gave this run up as dead.
  return rows[0]?.state ?? 'failed';
}
