const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Says whether objects and arrays are nested deeper than `limit` anywhere in a JSON text, without parsing it. */
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
    } else if ((byte | 0x20) === 0x7b) {
      // [ or {, which differ in one bit, as ] and } do.
      depth += 1;
      if (depth > limit) return true;
    } else if ((byte | 0x20) === 0x7d) {
      depth -= 1;
    }
  }
  return false;
}
