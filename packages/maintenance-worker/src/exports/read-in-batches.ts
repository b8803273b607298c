import { type Kysely, type RawBuilder, sql } from 'kysely';
import { untraced } from '@sluice/daemon/telemetry/untraced';
import type { Database } from '@sluice/store/database';
import { inTransaction } from '@sluice/store/transaction';

/** As many rows are asked for at a time as would have this many characters if all were as long as the longest before. */
const BATCH_CHARS = 4 * 1024 * 1024;
/** An event has 256 KiB at most by default, so this bounds what a batch of suddenly large ones can take: 25 MiB. */
const MOST_ROWS = 100;
const FIRST_ROWS = 50;

/** How long one batch may take, and how long the destination may be busy between two, in milliseconds. */
export const EXPORT_TIMEOUT_MS = 10 * 60_000;

/** Rows that come as they are asked for. */
export interface Batches<Row> {
  /** The next rows; an empty batch when there are none left. */
  next(): Promise<readonly Row[]>;
}

/**
 * Reads the rows of a query through a cursor: memory stays the same however many there are, here and in Postgres,
 * and all of them are of one moment.
 *
 * The transaction is read-only and may last as long as a slow destination takes. Meanwhile VACUUM keeps what it can
 * see, and detaching a partition waits and gives up.
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
    // Between two batches the destination is waited for; the first row of a sparse window may be far away.
    await sql.raw(`SET LOCAL idle_in_transaction_session_timeout = ${EXPORT_TIMEOUT_MS}`).execute(db);
    await sql.raw(`SET LOCAL statement_timeout = ${EXPORT_TIMEOUT_MS}`).execute(db);
    // All rows are wanted: without this the planner favours plans that give the first ones early.
    await sql`SET LOCAL cursor_tuple_fraction = 1`.execute(db);
    await sql`DECLARE rows NO SCROLL CURSOR FOR ${query}`.execute(db);
    let count = FIRST_ROWS;
    return work({
      async next() {
        // Ten million rows are a hundred thousand of these; the span of the file says how many rows it got.
        const { rows } = await untraced(() => sql<Row>`FETCH ${sql.raw(String(count))} FROM rows`.execute(db));
        const largest = Math.max(1, ...rows.map(sizeOf));
        count = Math.max(1, Math.min(MOST_ROWS, Math.floor(BATCH_CHARS / largest)));
        return rows;
      },
    });
  });
}

function sizeOf(row: object): number {
  let size = 0;
  for (const value of Object.values(row)) if (typeof value === 'string') size += value.length;
  return size;
}
