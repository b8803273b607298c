import { type RawBuilder, sql } from 'kysely';

/** Characters of payloads that one statement reads, at most: a few megabytes in the memory of a daemon. */
export const READ_CHUNK_BYTES = 4 * 1024 * 1024;

/** Longest payload that readers get, in characters. */
export const MAX_ROW_READ_CHARS = 1_048_576;

/**
 * A payload as JSON text with all digits. In place of one longer than `MAX_ROW_READ_CHARS` readers get
 * `{"_bytes": 13373007, "_truncated": true}`: Postgres writes numbers without an exponent, so five characters such as
 * `1e308` are read back as 309, and 28 KB of a client as 13 MB.
 *
 * The text is made once, in a subquery that `OFFSET 0` keeps apart.
 *
 * @param column name of a column, or an expression; null stays null
 */
export function payloadForReading(column: string | RawBuilder<unknown>): RawBuilder<string> {
  const payload = typeof column === 'string' ? sql.ref(column) : sql`(${column})`;
  return sql<string>`(
    SELECT CASE WHEN octet_length(read.text) > ${sql.lit(MAX_ROW_READ_CHARS)} AND length(read.text) > ${sql.lit(MAX_ROW_READ_CHARS)}
                THEN jsonb_build_object('_truncated', true, '_bytes', octet_length(read.text))::text
                ELSE read.text END
    FROM (SELECT ${payload}::text AS text OFFSET 0) AS read)`;
}

/**
 * The first rows of a query until their texts fill a chunk; at least one. The rows keep their columns, and get two more.
 *
 * @param rows the query; it needs a LIMIT, because the texts of all its rows are measured
 * @param order the order of its rows, such as sql`occurred_at, event_id`
 * @param chars the characters of one row, such as sql`length(payload)`
 * @param budget characters of the chunk
 */
export function rowsOfChunk(
  rows: RawBuilder<unknown>,
  order: RawBuilder<unknown>,
  chars: RawBuilder<unknown>,
  budget = READ_CHUNK_BYTES,
): RawBuilder<unknown> {
  return sql`
    SELECT * FROM (
      SELECT measured.*, row_number() OVER chunk AS chunk_row, sum(${chars}) OVER chunk AS chunk_chars
      FROM (${rows}) AS measured WINDOW chunk AS (ORDER BY ${order} ROWS UNBOUNDED PRECEDING)
    ) AS measured
    WHERE chunk_row = 1 OR chunk_chars <= ${budget} ORDER BY chunk_row`;
}

/**
 * Whether a chunk may have ended before the last row of its query.
 *
 * @param chars characters of the rows that were read, as JavaScript or as Postgres counts them
 */
export function mayBeCut(chars: number, budget = READ_CHUNK_BYTES): boolean {
  return chars > budget - MAX_ROW_READ_CHARS;
}
