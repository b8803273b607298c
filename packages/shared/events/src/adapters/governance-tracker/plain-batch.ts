import { isUtf8 } from 'node:buffer';
import { MAX_BODY_VALUES, MAX_EVENT_TYPE_CHARS, MAX_EVENT_VALUES, MAX_FUTURE_MS } from '../../canonical-event.ts';
import {
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  COMMA,
  hasBytesAt,
  MINUS,
  NULL,
  OPEN_BRACE,
  OPEN_BRACKET,
  PLUS,
  POINT,
  QUOTE,
  skipSpace,
} from '../../json/bytes.ts';
import { skipDigits, skipPlainString, skipString, skipValue, skipWord, type ValueTally } from '../../json/skip-json.ts';
import { daysInMonth } from '../../utc-millis.ts';
import type { PlainLimits } from '../event-adapter.ts';
import { TEXT_FIELDS } from './text-fields.ts';

/** What the value of a property must be. */
type Kind = 'type' | 'time' | 'text' | 'tenant' | 'any';

/** A property that validation checks. */
interface Known {
  readonly name: Buffer;
  readonly kind: Kind;
}

/** All such properties, by the length of their name. */
const KNOWN: readonly (readonly Known[] | undefined)[] = byLength([
  { name: Buffer.from('eventType'), kind: 'type' },
  { name: Buffer.from('timestamp'), kind: 'time' },
  { name: Buffer.from('tenant'), kind: 'tenant' },
  ...TEXT_FIELDS.map((name) => ({ name: Buffer.from(name), kind: 'text' as const })),
]);

function byLength(known: readonly Known[]): Known[][] {
  const lists: Known[][] = [];
  for (const each of known) (lists[each.name.length] ??= []).push(each);
  return lists;
}

/** Name of the array that holds the events, as JSON. */
export const EVENTS = Buffer.from('"events"');

/** `2026-11-21T09:30:00`, with the largest digit that each position may have. */
const SECOND = Buffer.from('9999-19-39T29:59:59');
/** A point and this many digits may follow, as JavaScript, Python and .NET write them. */
const MOST_DECIMALS = 9;
/** `Z` */
const UTC = 0x5a;
/** Length of `+01:00`. */
const OFFSET_BYTES = 6;
/** Zones are between -12:00 and +14:00. */
const MOST_OFFSET_HOURS = 14;

/**
 * Counts the events of a body `{"events":[…]}` from its bytes alone, if all of them are plainly valid. Nearly all bodies
 * are, also those with offsets in their times, `\u` in their texts or exponents in their numbers. Parsing and checking
 * 500 events takes 0.55 ms of processor time, and more for their garbage. This scan takes 0.25 ms and leaves no garbage.
 * A whole request of 500 takes 30 % less.
 *
 * The scan knows only the usual forms and never rejects. It counts only what `readBody` and `validateEvents` accept
 * without an error, a rejection or a warning. They read every other body, and find what is wrong with it, if anything.
 *
 * @param receivedAt milliseconds since 1970
 * @returns 0 for a body that has to be parsed
 */
export function countPlainEvents(body: Buffer, receivedAt: number, limits: PlainLimits): number {
  // An escape could spell it too, but only with \u, at which the scan gives up in a name.
  if (!isUtf8(body) || body.includes('__proto__')) return 0;
  let at = skipSpace(body, 0);
  if (body[at] !== OPEN_BRACE) return 0;
  at = skipSpace(body, at + 1);
  if (!hasBytesAt(body, at, EVENTS)) return 0;
  at = skipSpace(body, at + EVENTS.length);
  if (body[at] !== COLON) return 0;
  at = skipSpace(body, at + 1);
  if (body[at] !== OPEN_BRACKET) return 0;
  const latestMs = receivedAt + MAX_FUTURE_MS;
  const latest = { ms: latestMs, text: Buffer.from(new Date(latestMs).toISOString(), 'latin1') };
  let events = 0;
  // The body and its array are two.
  const tally = { values: 2, growth: 0 };
  do {
    const end = skipEvent(body, skipSpace(body, at + 1), latest, limits.maxEventBytes, tally);
    if (end < 0 || tally.values > MAX_BODY_VALUES) return 0;
    events += 1;
    if (events > limits.maxEvents) return 0;
    at = skipSpace(body, end);
  } while (body[at] === COMMA);
  if (body[at] !== CLOSE_BRACKET) return 0;
  at = skipSpace(body, at + 1);
  if (body[at] !== CLOSE_BRACE) return 0;
  return skipSpace(body, at + 1) === body.length ? events : 0;
}

/** JSON.parse takes the last of two properties of one name. Here both must be valid. */
function skipEvent(body: Buffer, from: number, latest: Latest, maxBytes: number, tally: ValueTally): number {
  if (body[from] !== OPEN_BRACE) return -1;
  const { values, growth } = tally;
  tally.values += 1;
  let hasType = false;
  let hasTime = false;
  let at = from;
  do {
    const name = skipSpace(body, at + 1);
    const nameEnd = skipPlainString(body, name);
    if (nameEnd < 0) return -1;
    at = skipSpace(body, nameEnd);
    if (body[at] !== COLON) return -1;
    const value = skipSpace(body, at + 1);
    switch (kindOf(body, name + 1, nameEnd - 1)) {
      case 'any':
        at = skipValue(body, value, 1, tally);
        break;
      case 'text':
        tally.values += 1;
        at = body[value] === QUOTE ? skipString(body, value) : skipWord(body, value, NULL);
        break;
      case 'type':
        tally.values += 1;
        at = skipPlainString(body, value);
        // Counted in bytes, of which a text has at least as many as characters.
        if (at === value + 2 || at > value + 2 + MAX_EVENT_TYPE_CHARS) return -1;
        hasType = true;
        break;
      case 'time':
        tally.values += 1;
        at = skipPlainString(body, value);
        if (at < 0 || !isTimeBefore(body, value + 1, at - 1, latest)) return -1;
        hasTime = true;
        break;
      case 'tenant':
        return -1;
    }
    // Nothing that follows can change the result.
    if (at < 0 || at - from > maxBytes) return -1;
    at = skipSpace(body, at);
  } while (body[at] === COMMA);
  const end = at + 1;
  if (body[at] !== CLOSE_BRACE || !hasType || !hasTime) return -1;
  return end - from + tally.growth - growth > maxBytes || tally.values - values > MAX_EVENT_VALUES ? -1 : end;
}

function kindOf(body: Buffer, from: number, end: number): Kind {
  const known = KNOWN[end - from];
  if (known === undefined) return 'any';
  for (let at = 0; at < known.length; at += 1) {
    if (hasBytesAt(body, from, known[at]!.name)) return known[at]!.kind;
  }
  return 'any';
}

/** The latest time that is accepted. */
interface Latest {
  /** Milliseconds since 1970. */
  readonly ms: number;
  /** In UTC, in the form of SECOND. */
  readonly text: Buffer;
}

/** Whether the bytes are a time with a zone, on a day that exists, in an earlier second than `latest`. */
function isTimeBefore(body: Buffer, from: number, end: number, latest: Latest): boolean {
  const isUtc = body[end - 1] === UTC;
  const zone = isUtc ? end - 1 : end - OFFSET_BYTES;
  if (!isFraction(body, from + SECOND.length, zone)) return false;
  // With an offset, the digits do not say which time is later.
  let later = 0;
  for (let place = 0; place < SECOND.length; place += 1) {
    const byte = body[from + place]!;
    const most = SECOND[place]!;
    // A digit up to the largest one; any other byte exactly as in SECOND.
    if (byte > most || (byte < 0x30 ? byte !== most : most > 0x39 && byte !== most)) return false;
    if (later === 0) later = byte - latest.text[place]!;
  }
  const hour = numberAt(body, from + 11);
  const month = numberAt(body, from + 5);
  const day = numberAt(body, from + 8);
  const year = 100 * numberAt(body, from) + numberAt(body, from + 2);
  if (hour > 23 || month < 1 || month > 12 || day < 1 || (day > 28 && day > daysInMonth(year, month))) return false;
  if (isUtc) return year > 0 && later < 0;
  const offset = offsetAt(body, zone);
  // `Date.UTC` takes the year 99 for 1999.
  if (offset === null || year < 100) return false;
  const seconds = Date.UTC(year, month - 1, day, hour, numberAt(body, from + 14), numberAt(body, from + 17));
  return seconds - offset * 60_000 < latest.ms - 1_000;
}

/** Minutes of an offset such as `+01:00`; null for anything else. */
function offsetAt(body: Buffer, from: number): number | null {
  const sign = body[from];
  if ((sign !== PLUS && sign !== MINUS) || body[from + 3] !== COLON) return null;
  if (skipDigits(body, from + 1) !== from + 3 || skipDigits(body, from + 4) !== from + OFFSET_BYTES) return null;
  const hours = numberAt(body, from + 1);
  const minutes = numberAt(body, from + 4);
  if (hours > MOST_OFFSET_HOURS || minutes > 59) return null;
  return sign === MINUS ? -(60 * hours + minutes) : 60 * hours + minutes;
}

/** Nothing, or a point with digits. */
function isFraction(body: Buffer, from: number, end: number): boolean {
  if (end === from) return true;
  return (
    body[from] === POINT && end > from + 1 && end <= from + 1 + MOST_DECIMALS && skipDigits(body, from + 1) === end
  );
}

function numberAt(body: Buffer, at: number): number {
  return (body[at]! - 0x30) * 10 + body[at + 1]! - 0x30;
}
