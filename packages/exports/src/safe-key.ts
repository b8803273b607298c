import { createHash } from 'node:crypto';
import { DestinationError } from './destination.ts';

/** Longest name of a folder; file systems end at 255 bytes. */
const MAX_SEGMENT_CHARS = 200;

/**
 * Splits a key or prefix into its segments, e.g. `acme/2026/11` → `['acme', '2026', '11']`.
 *
 * @throws DestinationError `bad_destination` when one could lead out of its folder
 */
export function keySegments(key: string): string[] {
  const segments = key.split('/');
  if (segments.some((segment) => segment === '' || segment === '.' || segment === '..' || /[\\\0]/.test(segment))) {
    throw new DestinationError('bad_destination', `${JSON.stringify(key)} is not a relative path without "..".`);
  }
  return segments;
}

/** Turns any text into the name of a folder: letters, digits, `-`, `_` and inner dots stay, the rest becomes %XX. */
export function folderName(text: string): string {
  const encoded = encodeURIComponent(text.toWellFormed())
    .replace(/[!'()*~]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replace(/^\./, '%2E');
  if (encoded.length > 0 && encoded.length <= MAX_SEGMENT_CHARS) return encoded;
  return `${encoded.slice(0, 100)}%${createHash('sha256').update(text).digest('hex')}`;
}
