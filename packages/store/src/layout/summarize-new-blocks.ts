import { sql } from 'kysely';
import type { Database } from '../database.ts';
import { inTransaction } from '../transaction.ts';
import { hotPartitions } from './partitions.ts';

/**
 * Longest wait for a lock, in milliseconds. It is less than deadlock_timeout (1 s by default), after which Postgres would
 * cancel an autovacuum that is in the way.
 */
const LOCK_TIMEOUT_MS = 100;

/** SQLSTATE of a lock that was not free in time. */
const LOCK_NOT_AVAILABLE = '55P03';

/**
 * Adds the newest blocks to the BRIN index on `stored_at`. A query for new events reads every block range that the index
 * does not know. Without this only VACUUM adds new ranges, up to a fifth of a partition later.
 */
export async function summarizeNewBlocks(database: Database, now: Date): Promise<void> {
  const names = hotPartitions(now);
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
    // VACUUM holds the lock, and does the same.
    if ((error as { code?: unknown }).code !== LOCK_NOT_AVAILABLE) throw error;
  }
}
