import { type Kysely, type RawBuilder, sql } from 'kysely';
import { MAX_ROW_READ_CHARS, READ_CHUNK_BYTES, rowsOfChunk } from '@sluice/store/read-payload';
import type { ReadRows } from '../http/paging.ts';

/**
 * Reads the rows of a query until their texts fill a chunk; see `rowsOfChunk`.
 *
 * @param order the order of its rows
 * @param chars an expression: the characters of one row, at most twice `MAX_ROW_READ_CHARS`
 */
export async function readChunk<Row extends object>(
  db: Kysely<unknown>,
  query: RawBuilder<unknown>,
  { order, chars }: { order: RawBuilder<unknown>; chars: RawBuilder<unknown> },
): Promise<ReadRows<Row>> {
  const { rows } = await sql<Row & { chunk_row?: string; chunk_chars?: string; read_found?: string }>`
    ${rowsOfChunk(query, order, chars)}`.execute(db);
  const last = rows.at(-1);
  // A row that was left out for its size would have been longer than what is left of the chunk.
  const full = Number(last?.chunk_chars ?? 0) > READ_CHUNK_BYTES - 2 * MAX_ROW_READ_CHARS;
  const cut = full || rows.length < Number(last?.read_found ?? 0);
  for (const row of rows) {
    delete row.chunk_row;
    delete row.chunk_chars;
    delete row.read_found;
  }
  return { rows, cut };
}
