import { Readable } from 'node:stream';

/** Characters of one piece of a download; a longer line is a piece of its own. */
const PIECE_CHARS = 64 * 1024;

/** Yields rows as lines of JSON, in pieces: streams hold up to three pieces for a client that does not read. */
export function* linesInPieces<Row>(rows: readonly Row[], toJson: (row: Row) => unknown): Generator<string> {
  let piece = '';
  for (const row of rows) {
    piece += `${JSON.stringify(toJson(row))}\n`;
    if (piece.length < PIECE_CHARS) continue;
    yield piece;
    piece = '';
  }
  if (piece !== '') yield piece;
}

/**
 * The body of a download. Its first piece is read at once: an error before it still is an answer with a status, and not an
 * answer that breaks off in the compressor.
 *
 * @throws what the first piece throws
 */
export async function openDownload(pieces: AsyncGenerator<string>): Promise<Readable> {
  const first = await pieces.next();
  return Readable.from(first.done === true ? [] : startingWith(first.value, pieces));
}

async function* startingWith(first: string, rest: AsyncGenerator<string>): AsyncGenerator<string> {
  yield first;
  yield* rest;
}
