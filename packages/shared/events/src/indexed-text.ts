import { MAX_INDEXED_BYTES } from './canonical-event.ts';

/**
 * A string as the indexed column holds it: at most 512 bytes of UTF-8, cut between characters.
 * The adapter keeps the whole value in the payload when this had to cut.
 */
export function indexedText(text: string): string {
  // No UTF-16 unit takes more than three bytes of UTF-8, so short strings need no counting.
  if (text.length * 3 <= MAX_INDEXED_BYTES) return text;
  if (Buffer.byteLength(text) <= MAX_INDEXED_BYTES) return text;
  const bytes = Buffer.from(text).subarray(0, MAX_INDEXED_BYTES);
  // A cut character decodes to U+FFFD at the end: step back to where the last whole one ended.
  let end = bytes.length;
  while (end > 0 && (bytes[end - 1]! & 0xc0) === 0x80) end -= 1;
  const lead = bytes[end - 1]!;
  const width = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
  return bytes.toString('utf8', 0, end - 1 + width <= bytes.length ? end - 1 + width : end - 1);
}
