import { type Kysely, sql } from 'kysely';
import { type DeadLetterFilter, EVENT_JSON, matches } from '@sluice/store/dead-letter-filter';
import { readLetter, type ReplayableLetter, type ReplayedEntry } from '@sluice/stream/replay-entry';

/** The work of one step of a replay. */
export interface TakenLetters {
  /** State of the replay at this step. */
  readonly state: string;
  /** What to put on the stream, in the order of the dead letters' ids. */
  readonly letters: readonly ReplayedEntry[];
  /** Whether this step reached the last matching dead letter. */
  readonly atEnd: boolean;
}

interface ReplayRow {
  state: string;
  filter: string;
  tenant: string | null;
  last_id: string;
  upper_id: string;
}

/** Columns that make a `ReplayableLetter`. */
const REPLAYABLE = sql`id, tenant, source, ${EVENT_JSON} AS event, origin::text AS origin`;

/**
 * Takes the next dead letters of a replay, up to its frozen upper id: marks them `replaying` and notes how far it got,
 * in one transaction. `unsettledLetters` finds those that were marked but did not reach the stream. A dead letter
 * without a readable event is skipped and stays open.
 */
export async function takeLetters(db: Kysely<unknown>, replayId: string, limit: number): Promise<TakenLetters> {
  return db.transaction().execute(async (transaction) => {
    const found = await sql<ReplayRow>`
      SELECT state, filter::text AS filter, tenant, last_id, upper_id FROM replays WHERE id = ${replayId} FOR UPDATE`.execute(
      transaction,
    );
    const replay = found.rows[0];
    if (replay === undefined) return { state: 'gone', letters: [], atEnd: true };
    if (replay.state !== 'queued' && replay.state !== 'running') {
      return { state: replay.state, letters: [], atEnd: false };
    }
    const { rows } = await sql<ReplayableLetter>`
      SELECT ${REPLAYABLE} FROM dead_letters
      WHERE id > ${replay.last_id} AND id <= ${replay.upper_id} AND state = 'dead'
        AND ${matches(JSON.parse(replay.filter) as DeadLetterFilter, replay.tenant)}
      ORDER BY id LIMIT ${limit} FOR UPDATE`.execute(transaction);
    const usable = rows.map(readLetter).filter((entry) => entry !== null);
    if (usable.length > 0) {
      await sql`
        UPDATE dead_letters SET state = 'replaying', replay_id = ${replayId}
        WHERE id = ANY(${usable.map((each) => each.letter)}::bigint[])`.execute(transaction);
    }
    const atEnd = rows.length < limit;
    await sql`
      UPDATE replays SET state = 'running', started_at = coalesce(started_at, now()), error = NULL,
        last_id = ${atEnd ? replay.upper_id : rows.at(-1)!.id}, skipped = skipped + ${rows.length - usable.length}
      WHERE id = ${replayId}`.execute(transaction);
    return { state: 'running', letters: usable, atEnd };
  });
}

/** Reads dead letters, after an id, that a replay took and that are not settled. */
export async function unsettledLetters(
  db: Kysely<unknown>,
  replayId: string,
  afterId: string,
  limit: number,
): Promise<{ lastId: string | null; letters: readonly ReplayedEntry[] }> {
  const { rows } = await sql<ReplayableLetter>`
    SELECT ${REPLAYABLE} FROM dead_letters
    WHERE replay_id = ${replayId} AND state = 'replaying' AND id > ${afterId}
    ORDER BY id LIMIT ${limit}`.execute(db);
  return {
    lastId: rows.at(-1)?.id ?? null,
    letters: rows.map(readLetter).filter((entry) => entry !== null),
  };
}
