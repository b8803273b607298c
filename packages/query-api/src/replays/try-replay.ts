import { type Kysely, sql } from 'kysely';
import type { Principal } from '@sluice/access/principal';
import type { Database } from '@sluice/store/database';
import { type DeadLetterFilter, EVENT_JSON, matches } from '@sluice/store/dead-letter-filter';
import { binarySize, rowsOfChunk, rowsToRead } from '@sluice/store/read-payload';
import { inTransaction } from '@sluice/store/transaction';
import { decodeEntry } from '@sluice/store/write/decode-entry';
import { isolatePoison } from '@sluice/store/write/isolate-poison';
import { type ReplayableLetter, replayEntry } from '@sluice/stream/replay-entry';
import { SHORT_MESSAGE } from '../dead-letters/rows.ts';

/** Most dead letters that a dry run tries; their payloads together are at most `READ_CHUNK_BYTES`. */
const MAX_TRIED = 1_000;

/** What a replay would do. */
export interface DryRun {
  readonly matched: number;
  /** The number that was tried: the oldest ones, at most a thousand, fewer when they are large. */
  readonly tried: number;
  readonly would_store: number;
  readonly would_duplicate: number;
  /** Dead letters without an event to replay. */
  readonly would_skip: number;
  readonly would_fail: readonly { readonly id: string; readonly reason: string; readonly message: string }[];
}

/** Thrown to roll back a transaction that did all its work. */
class RolledBack extends Error {}

/**
 * Stores dead letters with the code of a writer, in a transaction that is rolled back, and returns the result of each.
 * Meanwhile writers with the same event ids or sessions wait, as they do for one another.
 */
export async function tryReplay(database: Database, filter: DeadLetterFilter, operator: Principal): Promise<DryRun> {
  let result: DryRun | undefined;
  const letters = await lettersToTry(database, filter, operator);
  const usable = letters.rows.flatMap((letter) => {
    const entry = replayEntry(letter);
    return entry === null ? [] : [{ id: letter.id, entry }];
  });
  const ids = usable.map(({ id }) => id);
  const entries = usable.map(({ id, entry }) =>
    decodeEntry({ key: 'dry-run', id, fields: entry.map((field) => Buffer.from(field)) }),
  );
  const summary = {
    matched: letters.matched,
    tried: letters.rows.length,
    would_skip: letters.rows.length - ids.length,
  };
  if (ids.length === 0) return { ...summary, would_store: 0, would_duplicate: 0, would_fail: [] };
  try {
    await isolatePoison(database, entries, (of, work) =>
      inTransaction(of, async (db) => {
        await sql`
          WITH chosen AS (SELECT id FROM dead_letters WHERE id = ANY(${ids}::bigint[]) ORDER BY id FOR UPDATE)
          UPDATE dead_letters d SET state = 'replaying' FROM chosen WHERE d.id = chosen.id`.execute(db);
        await work(db);
        result = { ...summary, ...(await outcomeOf(db, ids)) };
        throw new RolledBack();
      }),
    );
  } catch (error) {
    if (!(error instanceof RolledBack)) throw error;
  }
  return result!;
}

async function lettersToTry(
  database: Database,
  filter: DeadLetterFilter,
  operator: Principal,
): Promise<{ matched: number; rows: readonly ReplayableLetter[] }> {
  return inTransaction(database, async (db) => {
    const counted = await sql<{ matched: string }>`
      SELECT count(*) AS matched FROM dead_letters WHERE ${matches(filter, operator.tenant)}`.execute(db);
    // Whole, for a cut payload would be another event; the first one is tried whatever its size.
    const letters = sql`
      SELECT * FROM dead_letters WHERE ${matches(filter, operator.tenant)} ORDER BY id LIMIT ${MAX_TRIED}`;
    const found = sql`
      SELECT id, tenant, source, ${EVENT_JSON} AS event, origin::text AS origin
      FROM (${rowsToRead(letters, sql`id`, binarySize('payload'))}) AS letters OFFSET 0`;
    const { rows } = await sql<ReplayableLetter>`
      SELECT id, tenant, source, event, origin
      FROM (${rowsOfChunk(found, sql`id`, sql`coalesce(length(event), 0)`)}) AS letters ORDER BY chunk_row`.execute(db);
    return { matched: Number(counted.rows[0]!.matched), rows };
  });
}

async function outcomeOf(
  db: Kysely<unknown>,
  ids: readonly string[],
): Promise<Pick<DryRun, 'would_store' | 'would_duplicate' | 'would_fail'>> {
  const { rows } = await sql<{ stored: string; duplicates: string }>`
    SELECT count(*) FILTER (WHERE replay_result = 'stored') AS stored,
           count(*) FILTER (WHERE replay_result = 'duplicate') AS duplicates
    FROM dead_letters WHERE id = ANY(${ids}::bigint[])`.execute(db);
  const failed = await sql<DryRun['would_fail'][number]>`
    SELECT replay_of AS id, reason, ${SHORT_MESSAGE} AS message FROM dead_letters WHERE replay_of = ANY(${ids}::bigint[]) ORDER BY replay_of`.execute(
    db,
  );
  return {
    would_store: Number(rows[0]?.stored ?? 0),
    would_duplicate: Number(rows[0]?.duplicates ?? 0),
    would_fail: failed.rows,
  };
}
