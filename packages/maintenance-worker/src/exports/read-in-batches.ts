import { type Kysely, type RawBuilder, sql } from 'kysely';
import { untraced } from '@sluice/daemon/telemetry/untraced';
import type { Database } from '@sluice/store/database';
import { inTransaction } from '@sluice/store/transaction';

/**
 * Reads the rows of a query through a cursor, in constant memory here and in Postgres, all from one snapshot.
 *
 * The transaction is read-only and lasts as long as a slow destination takes. Meanwhile VACUUM can't remove rows that
 * it sees, and detaching a partition waits and gives up.
 *
 * @param query must give strings, so that the size of a row is known
 */
export async function readInBatches<Row extends object, T>(
  database: Database,
  query: RawBuilder<Row>,
  work: (batches: Batches<Row>) => Promise<T>,
): Promise<T> {
  return inTransaction(database, async (db: Kysely<unknown>) => {
    await sql`SET TRANSACTION READ ONLY`.execute(db);
    // A slow destination may wait between two batches; the first row of a sparse window may be far away.
    await sql.raw(`SET LOCAL idle_in_transaction_session_timeout = ${EXPORT_TIMEOUT_MS}`).execute(db);
    await sql.raw(`SET LOCAL statement_timeout = ${EXPORT_TIMEOUT_MS}`).execute(db);
    // All rows will be read: without this the planner favours plans that return the first rows early.
    await sql`SET LOCAL cursor_tuple_fraction = 1`.execute(db);
    await sql`DECLARE rows NO SCROLL CURSOR FOR ${query}`.execute(db);
    let count = FIRST_ROWS;
    return work({
      async next() {
        // Untraced: ten million rows take a hundred thousand of these. The span of the file has its number of rows.
        const { rows } = await untraced(() => sql<Row>`FETCH ${sql.raw(String(count))} FROM rows`.execute(db));
        const largest = Math.max(1, ...rows.map(sizeOf));
        count = Math.max(1, Math.min(MOST_ROWS, Math.floor(BATCH_CHARS / largest)));
        return rows;
      },
    });
  });
}

/** A batch has as many rows as would have this many characters if all were as long as the longest of the last batch. */
const BATCH_CHARS = 4 * 1024 * 1024;
/** An event has 256 KiB at most by default, so a batch of suddenly large events has 25 MiB at most. */
const MOST_ROWS = 100;
const FIRST_ROWS = 50;

/** How long reading one batch may take, and how long a destination may take between two batches, in milliseconds. */
export const EXPORT_TIMEOUT_MS = 10 * 60_000;

/** Rows that are read on demand. */
export interface Batches<Row> {
  /** The next rows; an empty batch when there are none left. */
  next(): Promise<readonly Row[]>;
}

function sizeOf(row: object): number {
  let size = 0;
  for (const value of Object.values(row)) if (typeof value === 'string') size += value.length;
  return size;
}
