import { sql } from 'kysely';
import type { Database } from '../database.ts';
import { unlessLocked } from './unless-locked.ts';

/** Blocks of a range of a segment's BRIN index. */
export const RANGE_BLOCKS = 32;

/** Blocks at the end that may still be filled: Postgres adds up to 64 at once to a table that is written to. */
const OPEN_BLOCKS = 64;

/**
 * Adds the full block ranges of a segment to its BRIN index, from a range on. A query reads every range that the index does
 * not know from end to end: a second of 65,000 events costs it 20 to 35 ms. The range that is being filled is left out,
 * because every event stored in it would then change its summary.
 *
 * @param blocks number of the segment's blocks
 * @returns the range to begin with the next time
 */
export async function summarizeBlocks(
  database: Database,
  { relation, blocks }: { readonly relation: string; readonly blocks: number },
  from: number,
): Promise<number> {
  const to = Math.floor((blocks - OPEN_BLOCKS) / RANGE_BLOCKS);
  if (to <= from) return from;
  const done = await unlessLocked(database, (db) =>
    sql`
      SELECT brin_summarize_range(${`${relation}_blocks`}::regclass, range * ${RANGE_BLOCKS}::bigint)
      FROM generate_series(${from}::bigint, ${to - 1}::bigint) AS range`.execute(db),
  );
  return done ? to : from;
}
