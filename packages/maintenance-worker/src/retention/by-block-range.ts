import { type Kysely, sql } from 'kysely';
import type { Database } from '@sluice/store/database';
import { inTransaction } from '@sluice/store/transaction';

/**
 * Runs a query of events by `stored_at` in a transaction that uses the index of block ranges. The planner takes that for
 * expensive, because it ignores that a segment is stored in order, and would read the segment from end to end.
 */
export function byBlockRange<T>(database: Database, query: (db: Kysely<unknown>) => Promise<T>): Promise<T> {
  return inTransaction(database, async (db) => {
    await sql`SET LOCAL enable_seqscan = off`.execute(db);
    return query(db);
  });
}
