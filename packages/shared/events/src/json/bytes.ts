/*
 * The bytes that mean something in JSON, and the white space between them. Everything that reads JSON by its bytes uses
 * these. `skip-json.ts` is strict: it reads bytes that nothing has parsed. `locate-events.ts`, `byte-limits.ts`
 * and `written-out.ts` are lenient: they read only what JSON.parse accepts, or give only a bound.
 */

export const QUOTE = 0x22;
export const COMMA = 0x2c;
export const PLUS = 0x2b;
export const MINUS = 0x2d;
export const POINT = 0x2e;
export const ZERO = 0x30;
export const NINE = 0x39;
export const COLON = 0x3a;
export const OPEN_BRACKET = 0x5b;
export const SMALL_E = 0x65;
export const BACKSLASH = 0x5c;
export const CLOSE_BRACKET = 0x5d;
export const OPEN_BRACE = 0x7b;
export const CLOSE_BRACE = 0x7d;

export const NULL = Buffer.from('null');

/** The index of the next byte that is not JSON's white space, or the end. */
export function skipSpace(body: Uint8Array, from: number): number {
  let at = from;
  while (at < body.length) {
    const byte = body[at]!;
    if (byte > 0x20 || (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)) return at;
    at += 1;
  }
  return at;
}

/** Lenient: the index after the string that opens at `from`, or the end. */
export function skipString(body: Uint8Array, from: number): number {
  let at = from + 1;
  while (at < body.length) {
    const byte = body[at];
    if (byte === QUOTE) return at + 1;
    at += byte === BACKSLASH ? 2 : 1;
  }
  return at;
}

/** Whether the body has exactly these bytes at `from`. */
export function hasBytesAt(body: Uint8Array, from: number, bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at += 1) if (body[from + at] !== bytes[at]) return false;
  return true;
}
