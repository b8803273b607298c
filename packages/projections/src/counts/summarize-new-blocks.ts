import { sql } from 'kysely';
import { inTransaction } from '@sluice/store/transaction';
import type { Database } from '@sluice/store/database';
import { partitionOf } from '@sluice/store/layout/partitions';

/**
 * Less than deadlock_timeout (1 s by default), after which Postgres would cancel an autovacuum that is in the way,
 * in milliseconds.
 */
const LOCK_TIMEOUT_MS = 100;

const HOUR_MS = 60 * 60_000;

/** SQLSTATE of a lock that was not to be had in time. */
const LOCK_NOT_AVAILABLE = '55P03';

/**
 * Tells the BRIN index on `stored_at` of the newest blocks. A block range that it does not know yet is read by every
 * query that looks for new events, and by itself it learns of new ones from VACUUM alone: up to a fifth of a
 * partition later.
 */
export async function summarizeNewBlocks(database: Database, now: Date): Promise<void> {
  // On Monday's first minutes the newest blocks may be last week's.
  const names = [partitionOf(now).name, partitionOf(new Date(now.getTime() - HOUR_MS)).name];
  try {
    await inTransaction(database, async (db) => {
      await sql.raw(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`).execute(db);
      await sql`
        SELECT brin_summarize_new_values(i.indexrelid)
        FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_am AS a ON a.oid = c.relam
        WHERE i.indrelid IN (SELECT to_regclass(name) FROM unnest(${names}::text[]) AS n (name))
          AND a.amname = 'brin'`.execute(db);
    });
  } catch (error) {
    // VACUUM is at work, which does the same.
    if ((error as { code?: unknown }).code !== LOCK_NOT_AVAILABLE) throw error;
  }
}
