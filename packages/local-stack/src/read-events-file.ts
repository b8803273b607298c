import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';

/** An event of a file: its JSON as written there, and its id if it has one. */
export interface EventText {
  text: string;
  eventId: unknown;
}

/**
 * Reads a file of events, one JSON object a line (gzip or plain, told apart by its first bytes), a line at a time so that
 * it may be larger than memory. A byte order mark and blank lines are skipped. Throws an Error of one line
 * that names the file, and the line where one is bad.
 */
export async function* readEventsFile(path: string): AsyncGenerator<EventText> {
  let number = 0;
  try {
    for await (const line of linesOf(path, await isGzip(path))) {
      number += 1;
      const text = line.trim();
      if (text !== '') yield { text, eventId: eventIdOf(text) };
    }
  } catch (error) {
    throw describe(error as Error, path, number);
  }
}

/** Counts the events of a file, and so checks every line of it. Throws like `readEventsFile`, and when there are none. */
export async function countEvents(path: string): Promise<number> {
  let count = 0;
  for await (const _ of readEventsFile(path)) count += 1;
  if (count === 0) throw new Error(`${path} holds no events`);
  return count;
}

class BadLineError extends Error {}

function eventIdOf(text: string): unknown {
  let event: unknown;
  try {
    event = JSON.parse(text);
  } catch (error) {
    throw new BadLineError(`is not valid JSON: ${(error as Error).message}`);
  }
  if (typeof event !== 'object' || event === null || Array.isArray(event)) {
    throw new BadLineError('is not a JSON object');
  }
  return (event as { eventId?: unknown }).eventId;
}

/** Splits at line feeds alone: readline also splits at U+2028, which may be inside a JSON string. */
async function* linesOf(path: string, gzip: boolean): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let rest = '';
  for await (const chunk of gzip ? gunzip(path) : createReadStream(path)) {
    const lines = (rest + decoder.decode(chunk as Buffer, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  yield rest + decoder.decode();
}

function gunzip(path: string): Readable {
  const output = createGunzip();
  // An error of the file destroys the output with that error, and the reader of the output gets it.
  pipeline(createReadStream(path), output).catch(() => {});
  return output;
}

async function isGzip(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(2), 0, 2, 0);
    return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b;
  } finally {
    await file.close();
  }
}

function describe(error: Error, path: string, line: number): Error {
  if (error instanceof BadLineError) return new Error(`${path}: line ${line} ${error.message}`, { cause: error });
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return new Error(`${path}: there is no such file`, { cause: error });
  if (code === 'EISDIR') return new Error(`${path} is a folder, not a file`, { cause: error });
  const where = line > 0 ? ` after line ${line}` : '';
  const what = code === 'ERR_ENCODING_INVALID_ENCODED_DATA' ? 'it is not UTF-8' : error.message;
  return new Error(`${path} cannot be read${where}: ${what}`, { cause: error });
}
