import { type Kysely, type RawBuilder, type SqlBool, sql } from 'kysely';
import { MAX_FUTURE_MS } from '@sluice/events/canonical-event';
import { listSegments, type Segment } from './segments.ts';

/**
 * The segments that may hold the rows that a reader wants, and what is known of their times.
 *
 * The list may be older or newer than what a later statement sees, also on a replica: it selects rows by their number, and
 * a row never changes its number. Bounds are noted once nobody inserts any more, so they hold in every later state, and in
 * every earlier one, which has fewer rows. What is stored after the list was read is in its last entry, which has no end.
 */
export async function readableSegments(db: Kysely<unknown>, wanted: WantedRows = {}): Promise<ReadableSegment[]> {
  return fromList(await listSegments(db)).filter((segment) => mayHold(segment, wanted));
}

/** Some rows of `events`: those of a segment, or of a weekly partition of 0.1.0. */
export interface ReadableSegment {
  /** Numbers of `events.segment`: inclusive, exclusive. The last entry has no end. */
  readonly from: number;
  readonly to: number | null;
  /** Whether it is a weekly partition: one of several with the number 0, selected by `storedFrom` and `storedTo`. */
  readonly weekly: boolean;
  /** Whether it has the indexes of `HASHED_COLUMNS`. */
  readonly hashed: boolean;
  /** Bounds of its times: inclusive, exclusive; ISO 8601 UTC with microseconds. Null for unknown. */
  readonly storedFrom: string | null;
  readonly storedTo: string | null;
  readonly occurredFrom: string | null;
  readonly occurredTo: string | null;
  /** No row has a higher `tx`; null for unknown. */
  readonly txTo: bigint | null;
}

/** What a reader wants. Times are ISO 8601 UTC; what is left out does not restrict. */
export interface WantedRows {
  readonly occurredFrom?: string | undefined;
  readonly occurredBefore?: string | undefined;
  /** As `occurredBefore`, and at that time too. */
  readonly occurredUntil?: string | undefined;
  readonly storedFrom?: string | undefined;
  readonly storedBefore?: string | undefined;
  readonly storedUntil?: string | undefined;
  /** An xid8 as text: only rows with this `tx` or a higher one. */
  readonly txFrom?: string | undefined;
}

/** Whether a segment may hold a row that is wanted. */
export function mayHold(segment: ReadableSegment, wanted: WantedRows): boolean {
  return (
    isBefore(wanted.occurredFrom, segment.occurredTo) &&
    isBefore(wanted.storedFrom, segment.storedTo) &&
    isBefore(segment.occurredFrom, wanted.occurredBefore) &&
    isUntil(segment.occurredFrom, wanted.occurredUntil) &&
    isBefore(segment.storedFrom, wanted.storedBefore) &&
    isUntil(segment.storedFrom, wanted.storedUntil) &&
    (segment.txTo === null || wanted.txFrom === undefined || segment.txTo >= BigInt(wanted.txFrom))
  );
}

/** Conditions on `events` that exclude each other and together select the rows of some segments, few as they may be. */
export function conditionsOf(segments: readonly ReadableSegment[]): SegmentCondition[] {
  const conditions: SegmentCondition[] = [];
  const ordered = segments.toSorted((a, b) => a.from - b.from || (a.storedFrom! < b.storedFrom! ? -1 : 1));
  for (let at = 0; at < ordered.length;) {
    const first = ordered[at]!;
    let last = first;
    for (at += 1; at < ordered.length && follows(last, ordered[at]!); at += 1) last = ordered[at]!;
    conditions.push({ condition: between(first, last), hashed: first.hashed });
  }
  return conditions;
}

/** The rows of consecutive segments that have the same indexes. */
export interface SegmentCondition {
  readonly condition: RawBuilder<SqlBool>;
  readonly hashed: boolean;
}

/** The same as one condition. */
export function inSegments(segments: readonly ReadableSegment[]): RawBuilder<SqlBool> {
  const conditions = conditionsOf(segments).map(({ condition }) => condition);
  return conditions.length === 0 ? sql<SqlBool>`false` : sql<SqlBool>`(${sql.join(conditions, sql` OR `)})`;
}

/** A time with six decimals, so that times compare as texts. */
export function withMicroseconds(iso: string): string {
  const [, seconds, fraction = ''] = /^(.+:\d\d)(?:\.(\d+))?Z$/.exec(iso)!;
  return `${seconds}.${fraction.padEnd(6, '0')}Z`;
}

function fromList(segments: readonly Segment[]): ReadableSegment[] {
  // A sealed segment without rows gets none any more.
  const known = segments.filter(({ rows }) => rows !== 0).map(fromSegment);
  const end = Math.max(1, ...segments.map(({ to }) => to));
  const open = known.filter(isUnbounded);
  // Writers may be in a segment that was made after the list was read.
  const last = { from: open.find(({ from }) => from >= lastSealed(known))?.from ?? end, to: null };
  return [...known.filter(({ from }) => from < last.from), { ...UNKNOWN, ...last }];
}

function fromSegment(segment: Segment): ReadableSegment {
  const { from, to, state, storedFrom, storedTo, occurredFrom, occurredTo, txTo } = segment;
  if (state === 'next' || state === 'hot' || state === 'closed') return { ...UNKNOWN, from, to };
  const weekly = from === 0;
  return {
    from,
    to,
    weekly,
    hashed: !weekly,
    storedFrom,
    storedTo,
    occurredFrom,
    // Of a weekly partition as 0.1.0 left it, only the bounds of its table are known.
    occurredTo: occurredTo ?? latestOccurred(storedTo!),
    txTo: txTo === null ? null : BigInt(txTo),
  };
}

const UNKNOWN = {
  weekly: false,
  hashed: false,
  storedFrom: null,
  storedTo: null,
  occurredFrom: null,
  occurredTo: null,
  txTo: null,
} as const;

/** Ingest refuses events whose own time is further ahead. */
function latestOccurred(storedTo: string): string {
  return withMicroseconds(new Date(Date.parse(storedTo) + MAX_FUTURE_MS).toISOString());
}

function isUnbounded({ weekly, hashed }: ReadableSegment): boolean {
  return !weekly && !hashed;
}

/** The first number above all sealed segments. */
function lastSealed(segments: readonly ReadableSegment[]): number {
  return Math.max(1, ...segments.filter((segment) => !isUnbounded(segment)).map(({ to }) => to!));
}

/** Whether the first is before the second; true when one is not known. */
function isBefore(first: string | null | undefined, second: string | null | undefined): boolean {
  return typeof first !== 'string' || typeof second !== 'string' || withMicroseconds(first) < withMicroseconds(second);
}

/** The same, also for equal times. */
function isUntil(first: string | null, second: string | undefined): boolean {
  return first === null || second === undefined || withMicroseconds(first) <= withMicroseconds(second);
}

function follows(one: ReadableSegment, other: ReadableSegment): boolean {
  if (one.weekly || other.weekly) return one.weekly && other.weekly && one.storedTo === other.storedFrom;
  return one.to === other.from && one.hashed === other.hashed;
}

/** Bounds are parameters: the planner sees them, and leaves the other partitions out. */
function between(first: ReadableSegment, last: ReadableSegment): RawBuilder<SqlBool> {
  const from = sql<SqlBool>`segment >= ${first.from}::integer`;
  const numbers = last.to === null ? from : sql<SqlBool>`${from} AND segment < ${last.to}::integer`;
  if (!first.weekly) return sql<SqlBool>`(${numbers})`;
  return sql<SqlBool>`
    (${numbers} AND stored_at >= ${first.storedFrom}::timestamptz AND stored_at < ${last.storedTo}::timestamptz)`;
}
