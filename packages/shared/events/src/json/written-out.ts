import { MINUS, NINE, PLUS, POINT, QUOTE, skipString, SMALL_E, ZERO } from './bytes.ts';

/*
 * Postgres writes the numbers of jsonb without an exponent: the five characters `1e308` are read back as 309 digits. An
 * event of 256 KB was read back as 13 MB, and 120 of them ended the query API. So an event counts with its numbers
 * written out.
 */

/** Digits that a finite number may have when it is written out: 5e-324 has two and 324, and up to 16 more. */
const MOST_DIGITS = 345;

/**
 * Bounds by how much a number may grow when Postgres writes it out, in bytes. Its literal is not known here: it may have
 * an exponent, as in `1e9`.
 */
export function mostGrowth(number: number): number {
  const size = Math.abs(number);
  if (size === 0 || (size >= 0.01 && size < 1_000)) return 0;
  return size >= 1e-6 && size < 1e21 ? 21 : MOST_DIGITS;
}

/** The bytes of a JSON text with its numbers written out. The text is one that JSON.parse accepts. */
export function writtenOutBytes(json: Uint8Array): number {
  let bytes = json.length;
  for (let at = 0; at < json.length; at += 1) {
    const byte = json[at]!;
    if (byte === QUOTE) {
      at = skipString(json, at) - 1;
    } else if (byte === MINUS || isDigit(byte)) {
      const end = endOfNumber(json, at);
      if (hasExponent(json, at, end)) {
        const literal = Buffer.from(json.buffer, json.byteOffset + at, end - at).toString('latin1');
        bytes += writtenOutLength(literal) - literal.length;
      }
      at = end - 1;
    }
  }
  return bytes;
}

/**
 * The length of a number as Postgres returns it. The writer sends a number beyond 2^53 as its literal, and any other as
 * JavaScript writes it.
 */
function writtenOutLength(literal: string): number {
  const number = Number(literal);
  if (number === 0) return 1;
  const sent = Math.abs(number) > Number.MAX_SAFE_INTEGER ? literal : String(number);
  const [, sign, whole, decimals = '', exponent = '0'] = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(sent)!;
  const digits = `${whole}${decimals}`;
  const zeros = digits.length - digits.replace(/^0+/, '').length;
  const wholeDigits = whole!.length + Number(exponent) - zeros;
  const allDigits = digits.length - zeros;
  const written =
    wholeDigits <= 0 ? 2 - wholeDigits + allDigits : wholeDigits >= allDigits ? wholeDigits : allDigits + 1;
  return sign!.length + written;
}

function endOfNumber(json: Uint8Array, from: number): number {
  let at = from + 1;
  while (at < json.length && isNumberByte(json[at]!)) at += 1;
  return at;
}

function hasExponent(json: Uint8Array, from: number, end: number): boolean {
  for (let at = from; at < end; at += 1) if ((json[at]! | 0x20) === SMALL_E) return true;
  return false;
}

function isNumberByte(byte: number): boolean {
  return isDigit(byte) || byte === POINT || byte === MINUS || byte === PLUS || (byte | 0x20) === SMALL_E;
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= NINE;
}
