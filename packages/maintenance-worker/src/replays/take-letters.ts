import { type Kysely, type RawBuilder, sql, type SqlBool } from 'kysely';
import { type DeadLetterFilter, EVENT_JSON, matches } from '@sluice/store/dead-letter-filter';
import { rowsOfChunk } from '@sluice/store/read-payload';
import { readLetter, type ReplayableLetter, type ReplayedEntry } from '@sluice/stream/replay-entry';

/** The work of one step of a replay. */
export interface TakenLetters {
  /** State of the replay at this step. */
  readonly state: string;
  /** What to put on the stream, in the order of the dead letters' ids. */
  readonly letters: readonly ReplayedEntry[];
  /** Whether no matching dead letter is left. */
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
    const next = sql<SqlBool>`
      id > ${replay.last_id} AND id <= ${replay.upper_id} AND state = 'dead'
      AND ${matches(JSON.parse(replay.filter) as DeadLetterFilter, replay.tenant)}`;
    const ids = await idsOfChunk(transaction, next, limit);
    const { rows } = await sql<ReplayableLetter>`
      SELECT ${REPLAYABLE} FROM dead_letters
      WHERE id = ANY(${ids}::bigint[]) AND state = 'dead' ORDER BY id FOR UPDATE`.execute(transaction);
    const usable = rows.map(readLetter).filter((entry) => entry !== null);
    if (usable.length > 0) {
      await sql`
        UPDATE dead_letters SET state = 'replaying', replay_id = ${replayId}
        WHERE id = ANY(${usable.map((each) => each.letter)}::bigint[])`.execute(transaction);
    }
    const atEnd = ids.length === 0;
    await sql`
      UPDATE replays SET state = 'running', started_at = coalesce(started_at, now()), error = NULL,
        last_id = ${ids.at(-1) ?? replay.upper_id}, skipped = skipped + ${rows.length - usable.length}
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
  const next = sql<SqlBool>`replay_id = ${replayId} AND state = 'replaying' AND id > ${afterId}`;
  const ids = await idsOfChunk(db, next, limit);
  const { rows } = await sql<ReplayableLetter>`
    SELECT ${REPLAYABLE} FROM dead_letters WHERE id = ANY(${ids}::bigint[]) ORDER BY id`.execute(db);
  return {
    lastId: ids.at(-1) ?? null,
    letters: rows.map(readLetter).filter((entry) => entry !== null),
  };
}

/** Ids of the next dead letters: `limit` at most, and fewer when their events are long. */
async function idsOfChunk(db: Kysely<unknown>, next: RawBuilder<SqlBool>, limit: number): Promise<readonly string[]> {
  const measured = sql`
    SELECT id, coalesce(octet_length(${EVENT_JSON}), 0) AS bytes FROM dead_letters WHERE ${next} ORDER BY id LIMIT ${limit}`;
  const { rows } = await sql<{ id: string }>`
    SELECT id FROM (${rowsOfChunk(measured, sql`id`, sql`bytes`)}) AS chunk ORDER BY id`.execute(db);
  return rows.map(({ id }) => id);
}
