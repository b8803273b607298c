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
  POINT,
  QUOTE,
  skipSpace,
  ZERO,
} from './bytes.ts';

/*
 * Finds the end of JSON values without parsing them. Strict: it reads bytes that nothing has parsed. Each `skip…`
 * returns the index after what it read, or -1 if that is not JSON **or** needs the full parser. The parser is needed
 * for `\u`, which may spell a forbidden name or a character that Postgres cannot store; for a number with an exponent or
 * with more than MAX_DIGITS digits; and for nesting beyond the limit. Its lenient siblings are `locate-events.ts` and
 * `byte-limits.ts`.
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

/** A string without any escape: its text is its bytes. */
export function skipPlainString(body: Uint8Array, from: number): number {
  if (body[from] !== QUOTE) return -1;
  let at = from + 1;
  while (at < body.length && PLAIN[body[at]!] === 1) at += 1;
  return body[at] === QUOTE ? at + 1 : -1;
}

/** A string, possibly with escapes of one character. */
export function skipString(body: Uint8Array, from: number): number {
  if (body[from] !== QUOTE) return -1;
  let at = from + 1;
  for (;;) {
    while (at < body.length && PLAIN[body[at]!] === 1) at += 1;
    if (body[at] === QUOTE) return at + 1;
    if (body[at] !== BACKSLASH || !ESCAPED.has(body[at + 1]!)) return -1;
    at += 2;
  }
}

/** How many values were skipped: objects, arrays, texts, numbers, true, false and null. */
export interface ValueTally {
  values: number;
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
      return skipNumber(body, at);
  }
}

function skipObject(body: Uint8Array, from: number, level: number, tally: ValueTally): number {
  if (level > MAX_NESTING) return -1;
  let at = skipSpace(body, from + 1);
  if (body[at] === CLOSE_BRACE) return at + 1;
  for (;;) {
    at = skipString(body, at);
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

/** Stops at an exponent, where every caller expects a comma or an end. */
function skipNumber(body: Uint8Array, from: number): number {
  const first = body[from] === MINUS ? from + 1 : from;
  const end = skipDigits(body, first);
  if (end === first || end - first > MAX_DIGITS || (body[first] === ZERO && end > first + 1)) return -1;
  if (body[end] !== POINT) return end;
  const decimalsEnd = skipDigits(body, end + 1);
  return decimalsEnd === end + 1 ? -1 : decimalsEnd;
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
