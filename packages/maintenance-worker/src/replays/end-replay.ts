import { type Kysely, sql } from 'kysely';

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
  await sql`
    UPDATE replays r SET state = 'succeeded', finished_at = now(), error = NULL, skipped = greatest(skipped, matched - taken)
    FROM (SELECT count(*) AS taken FROM dead_letters WHERE replay_id = ${replayId}) t
    WHERE r.id = ${replayId} AND r.state = 'running'`.execute(db);
}

/** Fails a replay that can't continue, with the reason. */
export async function failReplay(db: Kysely<unknown>, replayId: string, error: string): Promise<void> {
  await sql`
    UPDATE replays SET state = 'failed', finished_at = now(), error = ${error}
    WHERE id = ${replayId} AND state = 'running'`.execute(db);
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
