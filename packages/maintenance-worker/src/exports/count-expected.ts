import { type Kysely, type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Database } from '@sluice/store/database';
import { inTransaction } from '@sluice/store/transaction';

/** How long counting may take, in milliseconds: the number only serves the progress. */
const COUNT_TIMEOUT_MS = 60_000;

/** SQLSTATE of a statement that took too long. */
const QUERY_CANCELED = '57014';

/** Counts the events that a run will export. @returns null when counting takes too long */
export async function countExpected(
  database: Database,
  rows: RawBuilder<SqlBool>,
  timeoutMs = COUNT_TIMEOUT_MS,
): Promise<number | null> {
  try {
    return await inTransaction(database, async (db: Kysely<unknown>) => {
      await sql.raw(`SET LOCAL statement_timeout = ${timeoutMs}`).execute(db);
      const counted = await sql<{ count: string }>`SELECT count(*) FROM events WHERE ${rows}`.execute(db);
      return Number(counted.rows[0]?.count);
    });
  } catch (error) {
    if ((error as { code?: string }).code === QUERY_CANCELED) return null;
    throw error;
  }
}
