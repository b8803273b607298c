import { type Kysely, sql } from 'kysely';
import { type Job, type JobContext, type JobResult, type JobRun, MINUTE_MS } from './job.ts';

/** Ends sessions without an event for `SESSION_IDLE_HOURS`. */
export const closeSessionsJob = {
  name: 'close-sessions',
  description: 'Ends sessions without an event for SESSION_IDLE_HOURS',
  schedule: { everyMs: MINUTE_MS },
  timeoutMs: 5 * MINUTE_MS,
  concurrency: 1,
  run: closeIdleSessions,
} satisfies Job;

/** Open sessions that one statement checks. */
const BATCH = 1_000;

async function closeIdleSessions({ database, config }: JobContext, run: JobRun): Promise<JobResult> {
  return closeSessions(database.db, config.SESSION_IDLE_HOURS * 3_600, run);
}

/**
 * Walks the open sessions by key and ends the idle ones: `ended_at` is when they were last seen, by the server's clock,
 * whenever the job reaches it. An event that arrives later opens the session again (see projections/sessions).
 *
 * Idle is measured up to the floor of the fold's position and not up to now: every event stored before it is folded, so
 * while the fold lags no session ends because its newest events are not in it yet.
 *
 * Rows that a fold has locked are skipped: an event has just arrived for these. So this never waits for a fold, and no
 * deadlock is possible.
 */
export async function closeSessions(
  db: Kysely<unknown>,
  idleSeconds: number,
  run: Pick<JobRun, 'signal' | 'progress'>,
): Promise<JobResult> {
  let closed = 0;
  let last: Key | null = null;
  do {
    const batch: Batch = await closeBatch(db, idleSeconds, last);
    closed += batch.closed;
    last = batch.looked < BATCH ? null : batch.last;
    run.progress(closed);
  } while (last !== null && !run.signal.aborted);
  return { rows: closed };
}

/** Every event stored before this time is folded; null before the first fold, and then no session is idle. */
const FOLDED_BEFORE = sql`(SELECT floor FROM rollup_generations WHERE state = 'live')`;

interface Key {
  readonly tenant: string;
  readonly sessionId: string;
}

interface Batch {
  readonly looked: number;
  readonly closed: number;
  readonly last: Key | null;
}

async function closeBatch(db: Kysely<unknown>, idleSeconds: number, after: Key | null): Promise<Batch> {
  const beyond = after === null ? sql`true` : sql`(tenant, session_id) > (${after.tenant}, ${after.sessionId})`;
  const { rows } = await sql<{ looked: string; closed: string; tenant: string | null; session_id: string | null }>`
    WITH looked AS MATERIALIZED (
      SELECT tenant, session_id FROM sessions WHERE ended_at IS NULL AND ${beyond}
      ORDER BY tenant, session_id LIMIT ${BATCH}
    ), idle AS MATERIALIZED (
      SELECT tenant, session_id FROM sessions JOIN looked USING (tenant, session_id)
      WHERE ended_at IS NULL AND last_seen_at < ${FOLDED_BEFORE} - make_interval(secs => ${idleSeconds})
      ORDER BY tenant, session_id FOR UPDATE OF sessions SKIP LOCKED
    ), closed AS (
      UPDATE sessions s SET ended_at = s.last_seen_at FROM idle
      WHERE s.tenant = idle.tenant AND s.session_id = idle.session_id RETURNING 1
    )
    SELECT (SELECT count(*) FROM looked) AS looked, (SELECT count(*) FROM closed) AS closed, l.tenant, l.session_id
    FROM (SELECT 1) one
    LEFT JOIN LATERAL (SELECT * FROM looked ORDER BY tenant DESC, session_id DESC LIMIT 1) l ON true`.execute(db);
  const row = rows[0]!;
  return {
    looked: Number(row.looked),
    closed: Number(row.closed),
    last: row.tenant === null ? null : { tenant: row.tenant, sessionId: row.session_id! },
  };
}
