import { type Kysely, sql } from 'kysely';

/** A run that a worker has begun. */
export interface BegunRun {
  readonly id: string;
  readonly input: Readonly<Record<string, unknown>>;
  readonly trigger: 'schedule' | 'request';
}

/** Which place of a job a run takes, and who runs it. */
export interface Place {
  readonly job: string;
  readonly slot: number;
  /** Host and process. */
  readonly worker: string;
}

/** How far a run is. */
export interface Progress {
  readonly rows: number;
  readonly rowsExpected: number | null;
}

/** How a run ended. */
export interface EndOfRun extends Progress {
  readonly state: 'succeeded' | 'failed' | 'cancelled';
  readonly details: object;
  readonly error: string | null;
  /** Until when the next success is expected; null when it did not succeed or has no schedule. */
  readonly staleAt: Date | null;
}

/** What is told of a run whose worker is gone. */
const DIED = 'the worker died, or lost its connection to PostgreSQL';

/** Writes a scheduled run down as running. The caller holds the lock of its place. */
export async function beginScheduled(db: Kysely<unknown>, id: string, place: Place): Promise<BegunRun> {
  await failOrphans(db, place);
  await sql`
    WITH tick AS (UPDATE jobs SET last_tick_at = now() WHERE name = ${place.job})
    INSERT INTO job_runs (id, job, state, trigger, worker, slot, started_at)
    VALUES (${id}, ${place.job}, 'running', 'schedule', ${place.worker}, ${place.slot}, now())`.execute(db);
  return { id, input: {}, trigger: 'schedule' };
}

/** Takes the oldest run that was asked for and waits; null when there is none. The caller holds the lock of its place. */
export async function claimRequested(db: Kysely<unknown>, place: Place): Promise<BegunRun | null> {
  await failOrphans(db, place);
  const { rows } = await sql<{ id: string; input: string }>`
    UPDATE job_runs SET state = 'running', worker = ${place.worker}, slot = ${place.slot}, started_at = now()
    WHERE id = (
      SELECT id FROM job_runs WHERE job = ${place.job} AND state = 'queued'
      ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED
    ) RETURNING id, input::text AS input`.execute(db);
  const row = rows[0];
  if (row === undefined) return null;
  return { id: row.id, input: JSON.parse(row.input) as BegunRun['input'], trigger: 'request' };
}

/** Whoever holds the lock of a place knows that no other run in this place can be alive. */
export async function failOrphans(db: Kysely<unknown>, { job, slot }: Omit<Place, 'worker'>): Promise<void> {
  await sql`
    UPDATE job_runs SET state = 'failed', error = ${DIED}, finished_at = now()
    WHERE job = ${job} AND state = 'running' AND slot = ${slot}`.execute(db);
}

/** Places in which a run is said to be in motion; its worker may be dead. */
export async function placesInUse(db: Kysely<unknown>): Promise<readonly { job: string; slot: number }[]> {
  const { rows } = await sql<{ job: string; slot: number }>`
    SELECT DISTINCT job, slot FROM job_runs WHERE state = 'running'`.execute(db);
  return rows;
}

/** Ids of the runs that wait, the oldest first, and no more than `limit`. */
export async function queuedRuns(db: Kysely<unknown>, limit: number): Promise<readonly string[]> {
  const { rows } = await sql<{ id: string }>`
    SELECT id FROM job_runs WHERE state = 'queued' ORDER BY created_at LIMIT ${limit}`.execute(db);
  return rows.map((row) => row.id);
}

/** The job of a run; undefined for a run that is not there. */
export async function jobOfRun(db: Kysely<unknown>, id: string): Promise<string | undefined> {
  const { rows } = await sql<{ job: string }>`SELECT job FROM job_runs WHERE id = ${id}::uuid`.execute(db);
  return rows[0]?.job;
}

/** Notes that a schedule came due while as many runs as allowed were in motion. */
export async function noteSkipped(db: Kysely<unknown>, job: string): Promise<void> {
  await sql`UPDATE jobs SET last_tick_at = now(), last_skipped_at = now() WHERE name = ${job}`.execute(db);
}

/**
 * Shows how far a run is.
 *
 * @param progress null when nothing has changed
 * @returns the state of the run: somebody may have cancelled it
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
 * Writes the end of a run. One that was cancelled meanwhile stays so, and one that was given up as dead stays failed.
 * Of scheduled runs that found nothing to do only the newest is kept: a job that looks every minute would push
 * everything of interest out of the history.
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
  // Whoever took this worker for dead has written so.
  return rows[0]?.state ?? 'failed';
}
