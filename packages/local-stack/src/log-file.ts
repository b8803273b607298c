import { mkdirSync, openSync, readFileSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** A larger log is renamed the next time it is opened; one older file remains. */
const MAX_LOG_BYTES = 32 * 1024 * 1024;

/** Opens a log for appending, its folder made if missing. The caller closes the descriptor. */
export function openLog(path: string): number {
  mkdirSync(dirname(path), { recursive: true });
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > MAX_LOG_BYTES) renameSync(path, `${path}.1`);
  return openSync(path, 'a');
}

/** The present length of a log in bytes, for `logSince`. */
export function logLength(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** The last `lines` lines of what was appended to a log since it was `from` bytes long. */
export function logSince(path: string, from: number, lines = 15): string {
  try {
    const added = readFileSync(path).subarray(from).toString('utf8').trimEnd();
    return added.split('\n').slice(-lines).join('\n');
  } catch {
    return '';
  }
}
