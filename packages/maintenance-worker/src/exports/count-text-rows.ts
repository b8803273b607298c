import { CSV_COLUMNS } from './csv-format.ts';

const LINE_FEED = 10;
const QUOTE = 34;
const COMMA = 44;

/** No export has a longer line. A foreign file under the same name must not fill the memory. */
const MAX_LINE_BYTES = 64 * 1024 * 1024;

/** Parses each line as JSON. @returns the number of lines */
export async function countLines(chunks: AsyncIterable<Buffer>): Promise<number> {
  let count = 0;
  for await (const line of linesOf(chunks)) {
    JSON.parse(line);
    count += 1;
  }
  return count;
}

/** Parses each event of a file that `jsonFormat` wrote, and compares with the count at its end. */
export async function countJsonEvents(chunks: AsyncIterable<Buffer>): Promise<number> {
  let lines = 0;
  let count = 0;
  // One line is held back, because the last one is not an event.
  let held: string | null = null;
  for await (const line of linesOf(chunks)) {
    lines += 1;
    if (lines === 1) {
      JSON.parse(`${line}]}`);
      continue;
    }
    if (held !== null) {
      JSON.parse(held.replace(/,$/, ''));
      count += 1;
    }
    held = line;
  }
  const end = /^\],"event_count":(\d+)\}$/.exec(held ?? '');
  if (end === null || Number(end[1]) !== count) throw new Error('the file does not end with its count of events');
  return count;
}

/** Counts the records after the header. Each must have as many cells as the header. */
export async function countCsvRecords(chunks: AsyncIterable<Buffer>): Promise<number> {
  let records = -1;
  let cells = 1;
  let bytes = 0;
  let quoted = false;
  for await (const chunk of chunks) {
    for (const byte of chunk) {
      bytes += 1;
      // A doubled quote closes and opens again.
      if (byte === QUOTE) quoted = !quoted;
      if (quoted) continue;
      if (byte === COMMA) cells += 1;
      if (byte !== LINE_FEED) continue;
      if (cells !== CSV_COLUMNS.length) throw new Error(`record ${records + 1} has ${cells} cells`);
      records += 1;
      cells = 1;
      bytes = 0;
    }
  }
  if (quoted || bytes > 0 || records < 0) throw new Error('the last record is not complete');
  return records;
}

/** @throws when the last line does not end: the file was cut */
async function* linesOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let pieces: Buffer[] = [];
  let held = 0;
  for await (const chunk of chunks) {
    let from = 0;
    for (let at = chunk.indexOf(LINE_FEED); at >= 0; at = chunk.indexOf(LINE_FEED, from)) {
      pieces.push(chunk.subarray(from, at));
      yield Buffer.concat(pieces).toString();
      pieces = [];
      held = 0;
      from = at + 1;
    }
    if (from === chunk.length) continue;
    pieces.push(chunk.subarray(from));
    held += chunk.length - from;
    if (held > MAX_LINE_BYTES) throw new Error(`a line has more than ${MAX_LINE_BYTES} bytes`);
  }
  if (pieces.length > 0) throw new Error('the last line is not complete');
}
