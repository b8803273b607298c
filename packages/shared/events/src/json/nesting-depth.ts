import { BACKSLASH, OPEN_BRACE, CLOSE_BRACE, QUOTE } from './bytes.ts';

/**
 * Whether objects and arrays are nested deeper than `limit` anywhere in a JSON text, without parsing it.
 *
 * Lenient: it counts brackets and ignores everything else. For a text that is not JSON it gives only a bound.
 */
export function isNestedDeeper(json: Buffer, limit: number): boolean {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < json.length; at += 1) {
    const byte = json[at]!;
    if (inString) {
      if (byte === QUOTE) inString = false;
      else if (byte === BACKSLASH) at += 1;
    } else if (byte === QUOTE) {
      inString = true;
    } else if ((byte | 0x20) === OPEN_BRACE) {
      // [ or {, which differ in one bit, as ] and } do.
      depth += 1;
      if (depth > limit) return true;
    } else if ((byte | 0x20) === CLOSE_BRACE) {
      depth -= 1;
    }
  }
  return false;
}
