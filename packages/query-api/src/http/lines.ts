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
