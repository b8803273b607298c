import { MAX_INDEXED_BYTES } from './canonical-event.ts';

/**
 * Cuts a string to what an indexed column holds: at most 512 bytes of UTF-8, between characters. When this cuts, the
 * adapter stores the whole value in the payload.
 */
export function indexedText(text: string): string {
  // A UTF-16 unit has at most three bytes of UTF-8, so short strings need no counting.
  if (text.length * 3 <= MAX_INDEXED_BYTES) return text;
  if (Buffer.byteLength(text) <= MAX_INDEXED_BYTES) return text;
  const bytes = Buffer.from(text).subarray(0, MAX_INDEXED_BYTES);
  // A cut character would decode to U+FFFD: step back to the end of the last whole one.
  let end = bytes.length;
  while (end > 0 && (bytes[end - 1]! & 0xc0) === 0x80) end -= 1;
  const lead = bytes[end - 1]!;
  const width = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
  return bytes.toString('utf8', 0, end - 1 + width <= bytes.length ? end - 1 + width : end - 1);
}
