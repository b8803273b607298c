import { sql } from 'kysely';
import type { Database } from '../database.ts';
import { inTransaction } from '../transaction.ts';
import { hotPartitions } from './partitions.ts';

/**
 * Less than deadlock_timeout (1 s by default), after which Postgres would cancel an autovacuum that is in the way,
 * in milliseconds.
 */
const LOCK_TIMEOUT_MS = 100;

/** SQLSTATE of a lock that was not to be had in time. */
const LOCK_NOT_AVAILABLE = '55P03';

/**
 * Adds the newest blocks to the BRIN index on `stored_at`. Every query for new events reads each block range that the
 * index does not know, and without this only VACUUM adds new ones: up to a fifth of a partition later.
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
    // VACUUM is at work, which does the same.
    if ((error as { code?: unknown }).code !== LOCK_NOT_AVAILABLE) throw error;
  }
}
