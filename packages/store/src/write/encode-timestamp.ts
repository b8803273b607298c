/** What canonical events have: UTC, with up to six decimals. */
const ISO = /^(\d{4}-\d\d-\d\d)T\d\d:\d\d:\d\d(?:\.(\d{1,6}))?Z$/;

/** 2000-01-01, from which Postgres counts, in milliseconds since 1970. */
const EPOCH_MS = 946_684_800_000;

/**
 * A time as Postgres's binary timestamptz: microseconds since 2000.
 *
 * @returns null for a time that is not exactly this format, or that no calendar has: a leap second, 30 February
 */
export function encodeTimestamp(text: string): bigint | null {
  const found = ISO.exec(text);
  // There is no year 0, but it would have a number.
  if (found === null || text.startsWith('0000')) return null;
  const [, day, decimals = ''] = found;
  // Milliseconds are left out: the decimals are added as they are.
  const ms = Date.parse(`${text.slice(0, 19)}Z`);
  // JavaScript takes 30 February for 2 March, and 24:00 for the next day.
  if (Number.isNaN(ms) || new Date(ms).getUTCDate() !== Number(day!.slice(8))) return null;
  return BigInt(ms - EPOCH_MS) * 1_000n + BigInt(decimals.padEnd(6, '0'));
}
