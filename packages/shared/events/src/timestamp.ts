/**
 * RFC 3339, with a time zone. Seconds may have up to nine decimals; Postgres stores six.
 * Groups: 1 year, 2 month, 3 day, 4 decimals without the point, 5 zone.
 */
const RFC_3339 = /^(\d{4})-(\d{2})-(\d{2})[Tt ]\d{2}:\d{2}:\d{2}(?:\.(\d{1,9}))?(Z|z|[+-]\d{2}:\d{2})$/;

/** What JavaScript's `toISOString` and most clients write. An hour of 24 is left to the longer way. */
const USUAL = /^\d{4}-\d{2}-(?:[01]\d|2[0-8])T(?:[01]\d|2[0-3]):\d{2}:\d{2}\.\d{3}Z$/;

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
 * Postgres would refuse the row.
 *
 * @returns null for anything else
 */
export function parseTimestamp(text: string): Timestamp | null {
  // This is the canonical form, on a day that every month has: only its value has to be computed.
  if (text.length === 24 && USUAL.test(text)) {
    const ms = Date.parse(text);
    return ms >= FIRST_YEAR_MS ? { ms, iso: text } : null;
  }
  const match = RFC_3339.exec(text);
  if (!match) return null;
  // With a space V8 uses other rules, which read the year 0001 as 2031.
  const ms = Date.parse(text.replace(' ', 'T'));
  if (!(ms >= FIRST_YEAR_MS && ms <= LAST_YEAR_MS)) return null;
  const [, year, month, day, decimals] = match;
  if (Number(day) > 28 && Number(day) > daysInMonth(Number(year), Number(month))) return null;
  return { ms, iso: isoWithMicroseconds(ms, decimals) };
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
  const strict = parseTimestamp(text);
  if (strict) return strict;
  if (/^\d{9,13}(\.\d+)?$/.test(text)) return fromEpoch(Number(text));
  const zoneless = /^\d{4}-\d{2}-\d{2}([Tt ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?$/.test(text);
  if (zoneless) return fromMilliseconds(Date.parse(`${text.replace(/[t ]/, 'T')}${text.length > 10 ? 'Z' : ''}`));
  // V8 finds a date in "visit 3" too. It would read a time without a zone in the zone of this machine.
  if (!/\d{4}/.test(text)) return null;
  return fromMilliseconds(Date.parse(ZONE_AT_END.test(text) ? text : `${text} UTC`));
}

/** The end of a date in words: `Z`, `GMT`, `PST`, `+0100`, `GMT+0100 (Central European Standard Time)`. */
const ZONE_AT_END = /(?:Z|UTC?|GMT|[ECMP][SD]T|:\d\d.*[+-]\d\d:?\d\d)\s*(?:\(.*\))?$/i;

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

export function daysInMonth(year: number, month: number): number {
  return new Date(Date.UTC(year, month, 0)).getUTCDate();
}
