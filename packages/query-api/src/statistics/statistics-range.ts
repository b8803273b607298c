/** A range of time, half open, ISO 8601 UTC with up to six decimals. */
export interface TimeRange {
  readonly start: string;
  readonly end: string;
}

export type Interval = 'minute' | 'hour' | 'day' | 'week';

/** Lengths in milliseconds. */
export const INTERVAL_MS: Readonly<Record<Interval, number>> = {
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
  week: 604_800_000,
};

/** The start of the first interval since 1970, in milliseconds. Weeks begin on Monday; 1970 began on Thursday. */
const ORIGIN_MS: Readonly<Record<Interval, number>> = { minute: 0, hour: 0, day: 0, week: 4 * 86_400_000 };

/** Until then microseconds since 1970 are whole numbers below 2^53. No event is that far ahead. */
const LAST_CUT = '2255-01-01T00:00:00.000Z';

/** The parts of a range: whole buckets, which roll-ups hold, and edges, which they do not. */
export interface RangeParts {
  /** Whole weeks: none or one range. */
  readonly weeks: readonly TimeRange[];
  /** Whole days around the weeks: none, one or two ranges. */
  readonly days: readonly TimeRange[];
  /** Whole hours around the days: none, one or two ranges. */
  readonly hours: readonly TimeRange[];
  /** What weeks, days and hours cover together; null when the range has no whole hour. */
  readonly whole: TimeRange | null;
  /** The rest at both ends: less than an hour each. */
  readonly edges: readonly TimeRange[];
  /** Parts of `whole` outside of the range, which must be taken off again: less than an hour at each end. */
  readonly excess: readonly TimeRange[];
}

/** How a range may be cut. */
export interface CutOptions {
  /** The smallest bucket of the answer: weeks do not tell days, days do not tell hours, and none tells minutes. */
  readonly finest: Interval | null;
  /** Milliseconds since 1970. Hardly any event is later. */
  readonly now: number;
  /** Whether events can be taken off again: from counts they can, from an approximate set they cannot. */
  readonly mayExceed: boolean;
}

/**
 * Cuts a range at whole hours, days and weeks, UTC. An end in the middle of an hour is read from the events, or as the whole
 * hour minus the events after the end, whichever scans less. For a range that ends now the latter scans almost nothing.
 */
export function cutRange(range: TimeRange, { finest, now, mayExceed }: CutOptions): RangeParts {
  if (range.end > LAST_CUT) return cutBehind(range, { finest, now, mayExceed });
  const cut = mayExceed ? stretch(range, now) : range;
  const whole = finest === 'minute' ? null : wholeWithin(cut, 'hour');
  if (whole === null) return uncut(range);
  const edges = [
    { start: range.start, end: whole.start },
    { start: whole.end, end: range.end },
  ].filter(isNotEmpty);
  const excess = [
    { start: whole.start, end: range.start },
    { start: range.end, end: whole.end },
  ].filter(isNotEmpty);
  const days = finest === 'hour' ? null : wholeWithin(whole, 'day');
  const weeks = days === null || finest === 'day' ? null : wholeWithin(days, 'week');
  return {
    weeks: weeks === null ? [] : [weeks],
    days: days === null ? [] : around(days, weeks),
    hours: around(whole, days),
    whole,
    edges,
    excess,
  };
}

/** What is left of a range without a part of it. */
function around(range: TimeRange, part: TimeRange | null): TimeRange[] {
  if (part === null) return [range];
  return [
    { start: range.start, end: part.start },
    { start: part.end, end: range.end },
  ].filter(isNotEmpty);
}

/** For an end such as that of the year 9999: what lies after LAST_CUT is read from the events. */
function cutBehind({ start, end }: TimeRange, options: CutOptions): RangeParts {
  if (start >= LAST_CUT) return uncut({ start, end });
  const parts = cutRange({ start, end: LAST_CUT }, options);
  return { ...parts, edges: [...parts.edges, { start: LAST_CUT, end }] };
}

/** A range of which nothing comes from roll-ups. */
export function uncut(range: TimeRange): RangeParts {
  return { weeks: [], days: [], hours: [], whole: null, edges: [range], excess: [] };
}

/** The starts of all buckets that a range touches, in order, in milliseconds since 1970. */
export function bucketStarts({ start, end }: TimeRange, interval: Interval): number[] {
  const length = INTERVAL_MS[interval];
  const origin = ORIGIN_MS[interval];
  const first = Math.floor((Date.parse(start) - origin) / length);
  const count = Math.max(0, Math.ceil((microsecondsOf(end) - origin * 1000) / (length * 1000)) - first);
  return Array.from({ length: count }, (_, at) => origin + (first + at) * length);
}

/** How many buckets a range touches. */
export function countBuckets({ start, end }: TimeRange, interval: Interval): number {
  return Math.ceil((Date.parse(end) - Date.parse(start)) / INTERVAL_MS[interval]) + 1;
}

/** The range out to the full hour, at each end at which less is outside than inside. */
function stretch({ start, end }: TimeRange, now: number): TimeRange {
  const hour = INTERVAL_MS.hour * 1000;
  const [from, to] = [microsecondsOf(start), microsecondsOf(end)];
  const [before, after] = [Math.floor(from / hour) * hour, Math.ceil(to / hour) * hour];
  const outside = Math.max(0, Math.min(after, now * 1000) - to);
  return {
    start: from - before < hour / 2 ? isoOf(before) : start,
    end: outside < to - (after - hour) ? isoOf(after) : end,
  };
}

function wholeWithin({ start, end }: TimeRange, interval: Interval): TimeRange | null {
  const length = INTERVAL_MS[interval] * 1000;
  const origin = ORIGIN_MS[interval] * 1000;
  const from = origin + Math.ceil((microsecondsOf(start) - origin) / length) * length;
  const to = origin + Math.floor((microsecondsOf(end) - origin) / length) * length;
  return from < to ? { start: isoOf(from), end: isoOf(to) } : null;
}

function isNotEmpty({ start, end }: TimeRange): boolean {
  return microsecondsOf(start) < microsecondsOf(end);
}

/** Microseconds since 1970; exact until LAST_CUT. */
function microsecondsOf(iso: string): number {
  const micros = /\.\d{3}(\d{1,3})Z$/.exec(iso)?.[1] ?? '';
  return Date.parse(iso) * 1000 + Number(micros.padEnd(3, '0'));
}

function isoOf(microseconds: number): string {
  return new Date(microseconds / 1000).toISOString();
}
