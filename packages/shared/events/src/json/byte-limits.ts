import { CLOSE_BRACE, COMMA, OPEN_BRACE, QUOTE, skipSpace, skipString } from './bytes.ts';

/**
 * Whether a JSON text has more values than `limit`: objects, arrays, texts, numbers, true, false and null. Counts them
 * without parsing, and stops at the limit. A text of fewer than two bytes a value needs no count.
 *
 * Lenient: it counts brackets and commas, and ignores everything else. For a text that is not JSON it gives only a bound.
 */
export function hasMoreValues(json: Uint8Array, limit: number): boolean {
  if (json.length <= 2 * limit) return false;
  // A container has one value more than commas, if it has any; the whole is one value.
  let values = 1;
  for (let at = 0; at < json.length; at += 1) {
    const byte = json[at]!;
    if (byte === QUOTE) {
      at = skipString(json, at) - 1;
    } else if (byte === COMMA) {
      values += 1;
    } else if ((byte | 0x20) === OPEN_BRACE) {
      // [ or {, which differ in one bit, as ] and } do.
      const next = skipSpace(json, at + 1);
      if ((json[next]! | 0x20) !== CLOSE_BRACE) values += 1;
      at = next - 1;
    }
    if (values > limit) return true;
  }
  return false;
}

/**
 * Counts the elements of the array under `name` in the object that a JSON text is, without parsing it. As in JSON.parse,
 * the last `name` counts. Lenient: it does not find a name that is written with escapes.
 *
 * @param name the JSON of the name, with its quotes
 */
export function countElements(json: Uint8Array, name: Uint8Array): number {
  let depth = 0;
  let count = 0;
  let isNamed = false;
  let isCounting = false;
  for (let at = 0; at < json.length; at += 1) {
    const byte = json[at]!;
    if (byte === QUOTE) {
      const end = skipString(json, at);
      if (depth === 1) isNamed = Buffer.compare(json.subarray(at, end), name) === 0;
      at = end - 1;
    } else if (byte === COMMA) {
      if (isCounting && depth === 2) count += 1;
      if (depth === 1) isNamed = false;
    } else if ((byte | 0x20) === OPEN_BRACE) {
      depth += 1;
      if (depth !== 2 || !isNamed) continue;
      isCounting = byte !== OPEN_BRACE;
      count = isCounting && (json[skipSpace(json, at + 1)]! | 0x20) !== CLOSE_BRACE ? 1 : 0;
    } else if ((byte | 0x20) === CLOSE_BRACE) {
      if (depth === 2) isCounting = false;
      depth -= 1;
    }
  }
  return count;
}
