import { type Kysely, type RawBuilder, sql } from 'kysely';

/** State of a replay, and how many of its dead letters are not settled yet. */
export interface ReplayProgress {
  readonly state: string;
  readonly unsettled: number;
}

/** Reads the progress of a replay. */
export async function replayProgress(db: Kysely<unknown>, replayId: string): Promise<ReplayProgress> {
  const { rows } = await sql<{ state: string; unsettled: string }>`
    SELECT r.state,
           (SELECT count(*) FROM dead_letters d WHERE d.replay_id = r.id AND d.state = 'replaying') AS unsettled
    FROM replays r WHERE r.id = ${replayId}`.execute(db);
  return { state: rows[0]?.state ?? 'gone', unsettled: Number(rows[0]?.unsettled ?? 0) };
}

/**
 * Ends a replay of which every dead letter is settled. One that matched but was never taken counts as skipped: it was
 * discarded, edited or taken by another replay meanwhile.
 */
export async function finishReplay(db: Kysely<unknown>, replayId: string): Promise<void> {
  await endReplay(
    db,
    replayId,
    sql`state = 'succeeded', error = NULL, skipped = greatest(skipped, matched - (
      SELECT count(*) FROM dead_letters WHERE replay_id = ${replayId}))`,
  );
}

/** Fails a replay that can't continue, with the reason. */
export async function failReplay(db: Kysely<unknown>, replayId: string, error: string): Promise<void> {
  await endReplay(db, replayId, sql`state = 'failed', error = ${error}`);
}

/** Ends a running replay, with an entry in the audit log that says what became of its dead letters. */
async function endReplay(db: Kysely<unknown>, replayId: string, end: RawBuilder<unknown>): Promise<void> {
  await sql`
    WITH ended AS (
      UPDATE replays SET ${end}, finished_at = now() WHERE id = ${replayId} AND state = 'running' RETURNING *
    )
    INSERT INTO audit_log (actor, tenant, action, affected, reason, details)
    SELECT requested_by, tenant, 'replays.end', c.stored + c.duplicates, reason, jsonb_build_object(
      'replay_id', id, 'state', state, 'outcome', ${OUTCOME}, 'matched', matched, 'stored', c.stored,
      'duplicates', c.duplicates, 'failed', c.failed, 'skipped', skipped)
    FROM ended CROSS JOIN (${counted(replayId)}) AS c`.execute(db);
}

/** What became of the dead letters of a replay. */
export interface ReplayOutcome {
  /** `none_stored` also for a replay that succeeded: it ran to its end, and every dead letter failed again. */
  readonly outcome: 'all_stored' | 'some_failed' | 'none_stored';
  readonly stored: number;
  readonly duplicates: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Counts what became of the dead letters of a replay so far. */
export async function replayOutcome(db: Kysely<unknown>, replayId: string): Promise<ReplayOutcome | null> {
  const { rows } = await sql<ReplayOutcome>`
    SELECT ${OUTCOME} AS outcome, c.stored::int, c.duplicates::int, c.failed::int, skipped::int
    FROM replays CROSS JOIN (${counted(replayId)}) AS c WHERE id = ${replayId}`.execute(db);
  return rows[0] ?? null;
}

/** Over a replay's row and its counts `c`. A duplicate is stored already. */
const OUTCOME = sql`
  CASE WHEN c.stored + c.duplicates >= matched THEN 'all_stored'
       WHEN c.stored + c.duplicates = 0 THEN 'none_stored' ELSE 'some_failed' END`;

function counted(replayId: string): RawBuilder<unknown> {
  return sql`
    SELECT count(*) FILTER (WHERE replay_result = 'stored') AS stored,
           count(*) FILTER (WHERE replay_result = 'duplicate') AS duplicates,
           count(*) FILTER (WHERE replay_result = 'failed') AS failed
    FROM dead_letters WHERE replay_id = ${replayId}`;
}

/** Notes the error that a replay waits out; it then continues without an operator. */
export async function noteError(db: Kysely<unknown>, replayId: string, error: string): Promise<void> {
  await sql`UPDATE replays SET error = ${error} WHERE id = ${replayId} AND state IN ('queued', 'running')`.execute(db);
}

/** Makes dead letters open again that are on no stream any more and were not stored. */
export async function releaseLetters(db: Kysely<unknown>, replayId: string): Promise<void> {
  await sql`
    WITH lost AS (
      SELECT id FROM dead_letters WHERE replay_id = ${replayId} AND state = 'replaying' ORDER BY id FOR UPDATE
    )
    UPDATE dead_letters d SET state = 'dead', replay_id = NULL FROM lost WHERE d.id = lost.id`.execute(db);
}
