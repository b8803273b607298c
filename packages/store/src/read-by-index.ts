import { type Kysely, sql } from 'kysely';
import type { Database } from './database.ts';
import { inTransaction } from './transaction.ts';

/**
 * Runs statements that find their rows by an index. The planner takes the block ranges of a hot segment for worthless,
 * because rows with one value lie all over it, and reads the segment from end to end: 260 ms instead of 10 for a rare user.
 * One process reads: to start a second one takes longer than most reads, and the other processors are the writers'.
 * The settings end with the transaction, so it works through PgBouncer, too.
 */
export async function readByIndex<T>(database: Database, read: (db: Kysely<unknown>) => Promise<T>): Promise<T> {
  return inTransaction(database, async (db) => {
    await sql`
      SELECT set_config('enable_seqscan', 'off', true), set_config('max_parallel_workers_per_gather', '0', true)`.execute(
      db,
    );
    return read(db);
  });
}
