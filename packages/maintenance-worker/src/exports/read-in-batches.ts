import { type Kysely, type RawBuilder, sql } from 'kysely';
import { untraced } from '@sluice/daemon/telemetry/untraced';
import type { Database } from '@sluice/store/database';
import { READ_CHUNK_BYTES } from '@sluice/store/read-payload';
import { inTransaction } from '@sluice/store/transaction';

/**
 * Reads the rows of a query through a cursor, in constant memory here and in Postgres, all from one snapshot.
 *
 * A batch has 100 rows, or 10, or 1: as many as have READ_CHUNK_BYTES of payload at most. So that this is known before
 * they are read, each row also has the bytes of the rows after it. A payload may be a thousand times as long as what is
 * stored of it.
 *
 * The transaction is read-only and lasts as long as a slow destination takes. Meanwhile VACUUM can't remove rows that
 * it sees, and detaching a partition waits and gives up.
 *
 * @param query must give the column `payload` as text
 */
export async function readInBatches<Row extends object, T>(
  database: Database,
  query: RawBuilder<Row>,
  work: (batches: Batches<Row>) => Promise<T>,
): Promise<T> {
  return readPartsInBatches(database, [query], work);
}

/**
 * The same for several queries, one after the other, each from a snapshot of its own. The locks of a query end with it: a
 * year of segments in one query would take half of all locks that the server has.
 */
export async function readPartsInBatches<Row extends object, T>(
  database: Database,
  queries: readonly RawBuilder<Row>[],
  work: (batches: Batches<Row>) => Promise<T>,
): Promise<T> {
  return inTransaction(database, async (db: Kysely<unknown>) => {
    await sql`SET TRANSACTION READ ONLY`.execute(db);
    // A slow destination may wait between two batches; the first row of a sparse window may be far away.
    await sql.raw(`SET LOCAL idle_in_transaction_session_timeout = ${EXPORT_TIMEOUT_MS}`).execute(db);
    await sql.raw(`SET LOCAL statement_timeout = ${EXPORT_TIMEOUT_MS}`).execute(db);
    // All rows will be read: without this the planner favours plans that return the first rows early.
    await sql`SET LOCAL cursor_tuple_fraction = 1`.execute(db);
    let current: Batches<Row> | null = null;
    let opened = 0;
    return work({
      async next() {
        for (;;) {
          const rows = current === null ? [] : await current.next();
          if (rows.length > 0) return rows;
          // Also closes the cursor. Untraced, as all but the first part is: a year has hundreds of segments.
          if (current !== null) await untraced(() => sql`ROLLBACK TO SAVEPOINT part`.execute(db));
          current = null;
          const query = queries[opened];
          if (query === undefined) return [];
          opened += 1;
          current = await (opened === 1 ? openBatches(db, query) : untraced(() => openBatches(db, query)));
        }
      },
    });
  });
}

async function openBatches<Row extends object>(db: Kysely<unknown>, query: RawBuilder<Row>): Promise<Batches<Row>> {
  await sql`SAVEPOINT part`.execute(db);
  await sql`DECLARE rows NO SCROLL CURSOR FOR ${withBytesAhead(query)}`.execute(db);
  // Nothing is known of the first row.
  let count = 1;
  return {
    async next() {
      // Untraced: ten million rows take a hundred thousand of these. The span of the file has its number of rows.
      const { rows } = await untraced(() =>
        sql<Row & BytesAhead>`FETCH ${sql.raw(String(count))} FROM rows`.execute(db),
      );
      const last = rows.at(-1);
      if (last !== undefined) count = rowsAhead(last);
      return rows;
    },
  };
}

/** Rows that are read on demand. */
export interface Batches<Row> {
  /** The next rows; an empty batch when there are none left. */
  next(): Promise<readonly Row[]>;
}

/** How long reading one batch may take, and how long a destination may take between two batches, in milliseconds. */
export const EXPORT_TIMEOUT_MS = 10 * 60_000;

/** Rows of a batch, when they are small and when they are larger. */
const MOST_ROWS = 100;
const FEW_ROWS = 10;

/** Bytes of payload of the rows after a row; null at the end. */
interface BytesAhead {
  readonly ahead_most: string | null;
  readonly ahead_few: string | null;
}

function rowsAhead({ ahead_most: most, ahead_few: few }: BytesAhead): number {
  if (Number(most) <= READ_CHUNK_BYTES) return MOST_ROWS;
  return Number(few) <= READ_CHUNK_BYTES ? FEW_ROWS : 1;
}

/**
 * The query with the bytes ahead of each row. OFFSET 0 keeps the subquery apart, so that the text of each payload is made
 * once. The sums slide: no row is added twice.
 */
function withBytesAhead(query: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`
    SELECT *, ${bytesOfNext(MOST_ROWS)} AS ahead_most, ${bytesOfNext(FEW_ROWS)} AS ahead_few
    FROM (${query} OFFSET 0) AS read`;
}

function bytesOfNext(rows: number): RawBuilder<unknown> {
  return sql`sum(octet_length(payload)) OVER (ROWS BETWEEN 1 FOLLOWING AND ${sql.lit(rows)} FOLLOWING)`;
}
