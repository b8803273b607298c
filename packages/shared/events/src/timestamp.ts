import { daysInMonth, decimalsInMicros, utcMillis } from './utc-millis.ts';

/**
 * RFC 3339, with a time zone. Seconds may have up to nine decimals; Postgres stores six.
 * Groups: 1 year, 2 month, 3 day, 4 decimals without the point, 5 zone.
 */
const RFC_3339 = /^(\d{4})-(\d{2})-(\d{2})[Tt ]\d{2}:\d{2}:\d{2}(?:\.(\d{1,9}))?(Z|z|[+-]\d{2}:\d{2})$/;

/** 0001-01-01T00:00:00Z: `toISOString` and Postgres agree on how to write a year from here on. */
export const FIRST_YEAR_MS = -62_135_596_800_000;
/** 9999-12-31T23:59:59.999Z. */
const LAST_YEAR_MS = 253_402_300_799_999;

/** A point in time, with the text that Postgres gets (ISO 8601 UTC, at most microseconds). */
export interface Timestamp {
  readonly ms: number;
  readonly iso: string;
}

/**
 * Reads an RFC 3339 timestamp. A date that does not exist (30 February) is not read: JavaScript would move it to March,
 * Postgres would refuse the row. A leap second, `23:59:60` at the end of a month, is read as the second after it.
 *
 * @returns null for anything else
 */
export function parseTimestamp(text: string): Timestamp | null {
  const usual = parseCanonical(text);
  if (usual !== null) return usual;
  const match = RFC_3339.exec(text);
  if (!match) return null;
  // With a space V8 uses other rules, which read the year 0001 as 2031.
  const ms = isLeapSecond(text)
    ? Date.parse(`${text.slice(0, 17)}59${text.slice(19)}`.replace(' ', 'T')) + 1_000
    : Date.parse(text.replace(' ', 'T'));
  if (!(ms >= FIRST_YEAR_MS && ms <= LAST_YEAR_MS)) return null;
  if (isLeapSecond(text) && !new Date(ms).toISOString().includes('-01T00:00:00.')) return null;
  const [, year, month, day, decimals] = match;
  if (Number(day) > 28 && Number(day) > daysInMonth(Number(year), Number(month))) return null;
  return { ms, iso: isoWithMicroseconds(ms, decimals) };
}

/** Reads what JavaScript's `toISOString` and most clients write, `2026-01-31T09:30:00.000Z`: its text stays as it is. */
function parseCanonical(text: string): Timestamp | null {
  if (text.length !== 24) return null;
  const ms = utcMillis(text) + decimalsInMicros(text) / 1_000;
  return Number.isNaN(ms) ? null : { ms, iso: text };
}

/** RFC 3339 §5.6 allows a second 60 where a leap second is inserted: at the end of a month, in UTC. */
function isLeapSecond(rfc3339: string): boolean {
  return rfc3339.startsWith('60', 17);
}

/**
 * Reads what web pages send as a time: RFC 3339, anything else that `Date.parse` reads with a year of four digits, and
 * seconds or milliseconds since 1970 as number or digits. A time without a zone is read as UTC.
 *
 * @returns null for anything else
 */
export function parseTimestampLeniently(value: unknown): Timestamp | null {
  if (typeof value === 'number') return fromEpoch(value);
  if (typeof value !== 'string') return null;
  const text = value.trim();
  if (text.length > MAX_TIME_CHARS) return null;
  const strict = parseTimestamp(text);
  if (strict) return strict;
  if (/^\d{9,13}(\.\d+)?$/.test(text)) return fromEpoch(Number(text));
  const zoneless = /^\d{4}-\d{2}-\d{2}([Tt ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?$/.test(text);
  // V8 moves 30 February to March.
  if (namesMissingDay(text)) return null;
  if (zoneless) return fromMilliseconds(Date.parse(`${text.replace(/[t ]/, 'T')}${text.length > 10 ? 'Z' : ''}`));
  // V8 finds a date in "visit 3" and in "visit 2026" too. It would read a time without a zone in the zone of this machine.
  if (!/\d{4}/.test(text) || hasOtherWords(text)) return null;
  return fromMilliseconds(Date.parse(ZONE_AT_END.test(text) ? text : `${text} UTC`));
}

/**
 * Longest text that is read as a time, in characters. The patterns below take time with the square of the length: minutes
 * for a text of 256 KB.
 */
const MAX_TIME_CHARS = 128;

/** The end of a date in words: `Z`, `GMT`, `PST`, `+0100`, `GMT+0100 (Central European Standard Time)`. */
const ZONE_AT_END = /(?:Z|UTC?|GMT|[ECMP][SD]T|:\d\d.*[+-]\d\d:?\d\d)\s*(?:\(.*\))?$/i;

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

/** The words of dates: months, days of the week, zones, and the letters of ISO 8601. */
const DATE_WORD =
  /^(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?|mon(?:day)?|tue(?:s|sday)?|wed(?:nesday)?|thu(?:r|rs|rsday)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?|am|pm|gmt|utc?|[ecmp][sd]t|[tz])$/i;

/** Whether a text has words that are not of a date, except in brackets. */
function hasOtherWords(text: string): boolean {
  const words = text.replace(/\(.*\)/, '').match(/\p{L}+/gu) ?? [];
  return words.some((word) => !DATE_WORD.test(word));
}

/** Whether a text names a day that its month does not have. */
function namesMissingDay(text: string): boolean {
  const numbers =
    /^(?<year>\d{4})[-/](?<month>\d{1,2})[-/](?<day>\d{1,2})(?!\d)/.exec(text)?.groups ??
    /^(?<month>\d{1,2})[-/](?<day>\d{1,2})[-/](?<year>\d{4})(?!\d)/.exec(text)?.groups;
  const { year, month, day } = numbers ?? {
    year: /(?<!\d)\d{4}(?!\d)/.exec(text)?.[0],
    month: monthIn(text),
    day: /(?<![\d:.+])\d{1,2}(?![\d:.])/.exec(text)?.[0],
  };
  if (year === undefined || month === undefined || day === undefined) return false;
  return Number(day) > daysInMonth(Number(year), Number(month));
}

/** The number of the month that a text names, from 1. */
function monthIn(text: string): number | undefined {
  const words = text.toLowerCase().match(/[a-z]+/g) ?? [];
  const month = words.map((word) => MONTHS.indexOf(word.slice(0, 3))).find((index) => index >= 0);
  return month === undefined ? undefined : month + 1;
}

/**
 * Puts the `+` of a zone back that form decoding took out of a time in a query string: of `…T09:30:00+01:00` and of
 * `… 09:30:00 GMT+0100 (…)` it leaves a space. A zone after a time and a space can only have been that.
 */
export function restorePlus(text: string): string {
  return text.length > MAX_TIME_CHARS ? text : text.replace(LOST_PLUS, '$<time>+$<zone>');
}

/** A time, perhaps with GMT or UTC, and spaces before an offset of at most 14 hours. A year is no offset. */
const LOST_PLUS =
  /(?<time>\d:\d{2}(?::\d{2}(?:\.\d+)?)?(?: ?(?:GMT|UTC?))?) +(?<zone>(?:0\d|1[0-4]):?[0-5]\d)(?=\s*(?:\(.*\)\s*)?$)/i;

function fromEpoch(value: number): Timestamp | null {
  // Below 1e11 it is seconds (until the year 5138), above it is milliseconds (from 1973 on).
  return fromMilliseconds(Math.round(Math.abs(value) < 1e11 ? value * 1000 : value));
}

function fromMilliseconds(ms: number): Timestamp | null {
  if (!(ms >= FIRST_YEAR_MS && ms <= LAST_YEAR_MS)) return null;
  return { ms, iso: new Date(ms).toISOString() };
}

function isoWithMicroseconds(ms: number, decimals: string | undefined): string {
  const iso = new Date(ms).toISOString();
  if (decimals === undefined || decimals.length <= 3) return iso;
  return `${iso.slice(0, -1)}${decimals.slice(3, 6)}Z`;
}
