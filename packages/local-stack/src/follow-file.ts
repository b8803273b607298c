import { closeSync, openSync, readSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';

/** Short enough for a person who watches. Not every file system supports change notifications. */
const READ_EVERY_MS = 200;
const CHUNK_BYTES = 64 * 1024;

export interface FollowOptions {
  file: string;
  /** Where to begin, in bytes. */
  from: number;
  onLine: (line: string) => void;
}

/** Calls back with each line that is appended to a file. The answered function reads the rest and stops. */
export function followFile({ file, from, onLine }: FollowOptions): () => void {
  const descriptor = openSync(file, 'r');
  const decoder = new StringDecoder('utf8');
  const chunk = Buffer.alloc(CHUNK_BYTES);
  let position = from;
  let rest = '';
  const read = (): void => {
    for (;;) {
      const bytes = readSync(descriptor, chunk, 0, CHUNK_BYTES, position);
      if (bytes === 0) return;
      position += bytes;
      const lines = (rest + decoder.write(chunk.subarray(0, bytes))).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) onLine(line);
    }
  };
  const timer = setInterval(read, READ_EVERY_MS);
  timer.unref();
  let ended = false;
  return () => {
    if (ended) return;
    ended = true;
    clearInterval(timer);
    read();
    closeSync(descriptor);
    if (rest !== '') onLine(rest);
  };
}
