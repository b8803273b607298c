import { type Kysely, type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Database } from '@sluice/store/database';
import { inTransaction } from '@sluice/store/transaction';

/** How long counting may take, in milliseconds: the number only serves the progress. */
const COUNT_TIMEOUT_MS = 60_000;

/** SQLSTATE of a statement that took too long. */
const QUERY_CANCELED = '57014';

/**
 * Counts the events that a run will export.
 *
 * @param parts conditions on `events` that exclude each other: each is counted in a transaction of its own
 * @returns null when counting takes too long
 */
export async function countExpected(
  database: Database,
  parts: readonly RawBuilder<SqlBool>[],
  timeoutMs = COUNT_TIMEOUT_MS,
): Promise<number | null> {
  const deadline = performance.now() + timeoutMs;
  let total = 0;
  for (const rows of parts) {
    const left = Math.ceil(deadline - performance.now());
    const counted = left > 0 ? await countRows(database, rows, left) : null;
    if (counted === null) return null;
    total += counted;
  }
  return total;
}

async function countRows(database: Database, rows: RawBuilder<SqlBool>, timeoutMs: number): Promise<number | null> {
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
