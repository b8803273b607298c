import { type Kysely, sql } from 'kysely';
import type { Database } from './database.ts';
import { inTransaction } from './transaction.ts';

/**
 * Runs statements that find their rows by an index. The planner takes the block ranges of a hot segment for worthless,
 * because rows with one value lie all over it, and reads the segment from end to end: 260 ms instead of 10 for a rare user.
 * The setting ends with the transaction, so it works through PgBouncer, too.
 */
export async function readByIndex<T>(database: Database, read: (db: Kysely<unknown>) => Promise<T>): Promise<T> {
  return inTransaction(database, async (db) => {
    await sql`SET LOCAL enable_seqscan = off`.execute(db);
    return read(db);
  });
}
