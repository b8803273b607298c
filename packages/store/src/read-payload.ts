import { type RawBuilder, sql } from 'kysely';

/** Characters of payloads that one statement reads, at most: a few megabytes in the memory of a daemon. */
export const READ_CHUNK_BYTES = 4 * 1024 * 1024;

/** Longest payload that readers get, in characters. */
export const MAX_ROW_READ_CHARS = 1_048_576;

/**
 * A payload as JSON text with all digits. In place of one longer than `MAX_ROW_READ_CHARS` readers get
 * `{"_bytes": 688022, "_truncated": true}`: Postgres writes numbers without an exponent, so five characters such as
 * `1e308` are read back as 309, and 28 KB of a client as 60 times 13 MB.
 *
 * The text is made once, in a subquery that `OFFSET 0` keeps apart. It is not made at all of what must be too long: a
 * monster of 13 MB takes Postgres 0.15 s, and a page of them half a minute.
 *
 * @param column the name of a jsonb column, or an expression of any type; null stays null
 */
export function payloadForReading(column: string | RawBuilder<unknown>): RawBuilder<string> {
  if (typeof column !== 'string') return shortText(column);
  const payload = sql.ref(column);
  return sql<string>`
    CASE WHEN ${binarySize(column)} > ${sql.lit(MONSTER_BYTES)} AND jsonb_path_exists(${payload}, ${sql.lit(LONG_NUMBER)})
         THEN ${mark(binarySize(column))} ELSE ${shortText(payload)} END`;
}

/** Binary size from which on a payload with long numbers is not tried, in bytes: more than 25,000 of its values. */
const MONSTER_BYTES = 400 * 1024;

/** A number that Postgres writes with more than a hundred digits. */
const LONG_NUMBER =
  '$.** ? (@.type() == "number" && (@ > 1e100 || @ < -1e100 || (@ != 0 && @ < 1e-100 && @ > -1e-100)))';

function shortText(value: RawBuilder<unknown>): RawBuilder<string> {
  const most = sql.lit(MAX_ROW_READ_CHARS);
  return sql<string>`(
    SELECT CASE WHEN octet_length(read.text) > ${most} AND length(read.text) > ${most}
                THEN ${mark(sql`octet_length(read.text)`)} ELSE read.text END
    FROM (SELECT (${value})::text AS text OFFSET 0) AS read)`;
}

function mark(bytes: RawBuilder<unknown>): RawBuilder<string> {
  return sql<string>`jsonb_build_object('_truncated', true, '_bytes', ${bytes})::text`;
}

/**
 * Size of the payloads that one statement turns into text, in bytes of Postgres's binary form. A number such as `1e308`
 * takes 16 of them, and 309 characters: 80 MiB of text at most. It is the time of Postgres that is bounded: a monster of
 * 13 MB takes it a tenth of a second.
 */
const MAX_BINARY_BYTES = 4 * 1024 * 1024;

/** The size of a jsonb in its binary form, in bytes. It is decompressed for that, and not turned into text. */
export function binarySize(column: string): RawBuilder<number> {
  const payload = sql.ref(column);
  return sql<number>`
    coalesce(CASE WHEN pg_column_compression(${payload}) IS NULL THEN pg_column_size(${payload})
                  ELSE pg_column_size(${payload} || '{}'::jsonb) END, 0)`;
}

/**
 * The first rows of a query whose payloads Postgres can turn into text in a short time; at least one. For what
 * `payloadForReading` and `rowsOfChunk` then read. The rows keep their columns, and get three more: `read_found` is the
 * number of rows of the query, so that a reader knows whether some were left out.
 *
 * @param rows the query, with a LIMIT
 * @param order the order of its rows
 * @param size the binary size of one row, such as `binarySize('payload')`
 */
export function rowsToRead(
  rows: RawBuilder<unknown>,
  order: RawBuilder<unknown>,
  size: RawBuilder<unknown>,
): RawBuilder<unknown> {
  return sql`
    SELECT * FROM (
      SELECT measured.*, row_number() OVER reading AS read_row, sum(${size}) OVER reading AS read_bytes,
             count(*) OVER () AS read_found
      FROM (${rows}) AS measured WINDOW reading AS (ORDER BY ${order} ROWS UNBOUNDED PRECEDING)
    ) AS measured
    WHERE read_row = 1 OR read_bytes <= ${sql.lit(MAX_BINARY_BYTES)}`;
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
