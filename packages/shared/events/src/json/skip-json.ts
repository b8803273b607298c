import { MAX_NESTING } from '../canonical-event.ts';
import {
  BACKSLASH,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  COMMA,
  hasBytesAt,
  MINUS,
  NINE,
  NULL,
  OPEN_BRACE,
  OPEN_BRACKET,
  PLUS,
  POINT,
  QUOTE,
  SMALL_E,
  skipSpace,
  ZERO,
} from './bytes.ts';

/*
 * Finds the end of JSON values without parsing them. Strict: it reads bytes that nothing has parsed. Each `skip…`
 * returns the index after what it read, or -1 if that is not JSON **or** needs the full parser. The parser is needed
 * for a name with `\u`, which may spell a forbidden one; for a text with a `\u` that Postgres cannot store; for a number
 * with more than MAX_DIGITS digits or a long exponent; and for nesting beyond the limit. Its lenient siblings are
 * `locate-events.ts` and `byte-limits.ts`.
 */

/** 1 for each byte that continues a string. Not its end, a backslash, or a byte that must be escaped. */
const PLAIN = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte < 0x20 || byte === QUOTE || byte === BACKSLASH ? 0 : 1,
);

/** What may follow a backslash. */
const ESCAPED = new Set(Buffer.from('"\\/bfnrt'));

const TRUE = Buffer.from('true');
const FALSE = Buffer.from('false');

/** A whole number of this many digits is far below the largest 64-bit float, 1.8e308. */
const MAX_DIGITS = 300;
/** And so is one of this many digits with an exponent of two. */
const MAX_DIGITS_WITH_EXPONENT = 100;
/** Bytes by which a number with an exponent of two digits grows at most when Postgres writes it out: `1e99`, `1e-99`. */
const EXPONENT_GROWTH = 100;

/** A string without any escape: its text is its bytes. */
export function skipPlainString(body: Uint8Array, from: number): number {
  if (body[from] !== QUOTE) return -1;
  let at = from + 1;
  while (at < body.length && PLAIN[body[at]!] === 1) at += 1;
  return body[at] === QUOTE ? at + 1 : -1;
}

/** A name, possibly with escapes of one character. */
function skipName(body: Uint8Array, from: number): number {
  if (body[from] !== QUOTE) return -1;
  let at = from + 1;
  for (;;) {
    while (at < body.length && PLAIN[body[at]!] === 1) at += 1;
    if (body[at] === QUOTE) return at + 1;
    if (body[at] !== BACKSLASH || !ESCAPED.has(body[at + 1]!)) return -1;
    at += 2;
  }
}

/** A text, possibly with escapes. Python's `json.dumps` escapes every character beyond ASCII. */
export function skipString(body: Uint8Array, from: number): number {
  if (body[from] !== QUOTE) return -1;
  let at = from + 1;
  for (;;) {
    while (at < body.length && PLAIN[body[at]!] === 1) at += 1;
    if (body[at] === QUOTE) return at + 1;
    if (body[at] !== BACKSLASH) return -1;
    if (ESCAPED.has(body[at + 1]!)) {
      at += 2;
      continue;
    }
    at = skipUnicodeEscape(body, at);
    if (at < 0) return -1;
  }
}

/** `\u` of a character that Postgres can store: not U+0000, and no half of a surrogate pair. */
function skipUnicodeEscape(body: Uint8Array, from: number): number {
  const unit = escapedUnit(body, from);
  if (unit <= 0 || (unit >= 0xdc00 && unit <= 0xdfff)) return -1;
  if (unit < 0xd800 || unit > 0xdfff) return from + UNICODE_ESCAPE_BYTES;
  const second = escapedUnit(body, from + UNICODE_ESCAPE_BYTES);
  return second >= 0xdc00 && second <= 0xdfff ? from + 2 * UNICODE_ESCAPE_BYTES : -1;
}

/** Of `\u20ac`. */
const UNICODE_ESCAPE_BYTES = 6;

/** The UTF-16 unit of a `\u` and four hex digits; -1 for anything else. */
function escapedUnit(body: Uint8Array, from: number): number {
  if (body[from] !== BACKSLASH || body[from + 1] !== SMALL_U) return -1;
  let unit = 0;
  for (let at = from + 2; at < from + UNICODE_ESCAPE_BYTES; at += 1) {
    const digit = HEX_DIGITS[body[at]!];
    if (digit === undefined) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

const SMALL_U = 0x75;
/** Values of hex digits by their byte. */
const HEX_DIGITS: readonly (number | undefined)[] = Array.from({ length: 0x67 }, (_, byte) => {
  const text = String.fromCodePoint(byte);
  return /^[\da-fA-F]$/.test(text) ? Number.parseInt(text, 16) : undefined;
});

/** What is added up over the values that were skipped. */
export interface ValueTally {
  /** Objects, arrays, texts, numbers, true, false and null. */
  values: number;
  /** Bytes by which numbers with an exponent may grow when Postgres writes them out; see `written-out.ts`. */
  growth: number;
}

/**
 * A value of any kind.
 *
 * @param level nesting level of what the value is in
 * @param tally is increased by the value and all values in it
 */
export function skipValue(body: Uint8Array, at: number, level: number, tally: ValueTally): number {
  tally.values += 1;
  switch (body[at]!) {
    case QUOTE:
      return skipString(body, at);
    case OPEN_BRACE:
      return skipObject(body, at, level + 1, tally);
    case OPEN_BRACKET:
      return skipArray(body, at, level + 1, tally);
    case TRUE[0]:
      return skipWord(body, at, TRUE);
    case FALSE[0]:
      return skipWord(body, at, FALSE);
    case NULL[0]:
      return skipWord(body, at, NULL);
    default:
      return skipNumber(body, at, tally);
  }
}

function skipObject(body: Uint8Array, from: number, level: number, tally: ValueTally): number {
  if (level > MAX_NESTING) return -1;
  let at = skipSpace(body, from + 1);
  if (body[at] === CLOSE_BRACE) return at + 1;
  for (;;) {
    at = skipName(body, at);
    if (at < 0) return -1;
    at = skipSpace(body, at);
    if (body[at] !== COLON) return -1;
    at = skipValue(body, skipSpace(body, at + 1), level, tally);
    if (at < 0) return -1;
    at = skipSpace(body, at);
    if (body[at] === CLOSE_BRACE) return at + 1;
    if (body[at] !== COMMA) return -1;
    at = skipSpace(body, at + 1);
  }
}

function skipArray(body: Uint8Array, from: number, level: number, tally: ValueTally): number {
  if (level > MAX_NESTING) return -1;
  let at = skipSpace(body, from + 1);
  if (body[at] === CLOSE_BRACKET) return at + 1;
  for (;;) {
    at = skipValue(body, at, level, tally);
    if (at < 0) return -1;
    at = skipSpace(body, at);
    if (body[at] === CLOSE_BRACKET) return at + 1;
    if (body[at] !== COMMA) return -1;
    at = skipSpace(body, at + 1);
  }
}

function skipNumber(body: Uint8Array, from: number, tally: ValueTally): number {
  const first = body[from] === MINUS ? from + 1 : from;
  const end = skipDigits(body, first);
  if (end === first || end - first > MAX_DIGITS || (body[first] === ZERO && end > first + 1)) return -1;
  let at = end;
  if (body[end] === POINT) {
    at = skipDigits(body, end + 1);
    if (at === end + 1) return -1;
  }
  if ((body[at]! | 0x20) !== SMALL_E) return at;
  tally.growth += EXPONENT_GROWTH;
  return end - first > MAX_DIGITS_WITH_EXPONENT ? -1 : skipExponent(body, at + 1);
}

/** One or two digits, with or without a sign. */
function skipExponent(body: Uint8Array, from: number): number {
  const first = body[from] === MINUS || body[from] === PLUS ? from + 1 : from;
  const end = skipDigits(body, first);
  return end === first || end > first + 2 ? -1 : end;
}

/** To the next byte that is not a digit. */
export function skipDigits(body: Uint8Array, from: number): number {
  let at = from;
  while (at < body.length && body[at]! >= ZERO && body[at]! <= NINE) at += 1;
  return at;
}

/** Exactly this word: `null`. */
export function skipWord(body: Uint8Array, from: number, word: Uint8Array): number {
  return hasBytesAt(body, from, word) ? from + word.length : -1;
}
