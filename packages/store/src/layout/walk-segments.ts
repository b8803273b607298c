import type { ReadableSegment } from './readable-segments.ts';

/**
 * Reads the first rows of a list that is ordered by time, from the segments that may hold them: some segments at a time,
 * until no other one can hold a row that comes before the last. A frequent value is found in the first one or two, and
 * nothing plans hundreds of partitions at once.
 *
 * @param segments in any order
 * @param read reads the first rows of some segments, in order, at most `limit`; not those after the row `until`
 */
export async function walkSegments<Row extends object>(
  segments: readonly ReadableSegment[],
  { limit, ...order }: Walk<Row>,
  read: (some: readonly ReadableSegment[], until: Row | undefined) => Promise<ReadRows<Row>>,
): Promise<ReadRows<Row>> {
  let rows: readonly Row[] = [];
  let isCut = false;
  for (const some of inGroups(segments, order)) {
    const until: Row | undefined = isCut ? rows.at(-1) : undefined;
    // The first of a group is the one that reaches furthest.
    if (until !== undefined && !mayPrecede(some[0]!, until, order)) break;
    const found = await read(some, until);
    // Of what comes after the last row of a read that was cut, nothing is known.
    const end: Row | undefined = earlier(until, found.isCut ? found.rows.at(-1) : undefined, order);
    const known = [...rows, ...found.rows].toSorted((a, b) => compare(a, b, order));
    rows = known.filter((row) => end === undefined || compare(row, end, order) <= 0).slice(0, limit);
    isCut = end !== undefined || known.length >= limit;
  }
  return { rows, isCut };
}

/** The order of a walk, and where it may end. */
export interface Walk<Row> extends WalkOrder<Row> {
  readonly limit: number;
}

/** The order of rows. */
export interface WalkOrder<Row> {
  readonly descending: boolean;
  /** The key of a row, as texts that compare; the first one is the time. */
  readonly keyOf: (row: Row) => readonly string[];
  /** The bound of a segment in this order: the exclusive end of its times in a descending one, else their start. */
  readonly boundOf: (segment: ReadableSegment) => string | null;
}

/** Rows of a list. */
export interface ReadRows<Row> {
  readonly rows: readonly Row[];
  /** Whether more may follow. */
  readonly isCut: boolean;
}

/** Segments of the first read besides those whose bounds are unknown; each later one reads twice as many as the one before. */
const FIRST = 2;

/**
 * Most segments that one statement plans. Each costs the planner a tenth of a millisecond and ten of the server's locks, of
 * which it has some 6,400 by default.
 */
const MOST = 16;

/** Segments in the order of their bounds, the unknown ones first, in groups that grow. */
export function inGroups<Row>(
  segments: readonly ReadableSegment[],
  { descending, boundOf }: Pick<WalkOrder<Row>, 'descending' | 'boundOf'>,
): ReadableSegment[][] {
  const unknown = segments.filter((segment) => boundOf(segment) === null);
  const known = segments
    .filter((segment) => boundOf(segment) !== null)
    .toSorted((a, b) => {
      const [first, second] = descending ? [b, a] : [a, b];
      return boundOf(first)! < boundOf(second)! ? -1 : 1;
    });
  const groups = [[...unknown, ...known.slice(0, FIRST)]];
  for (let at = FIRST, size = 2 * FIRST; at < known.length; at += size, size = Math.min(2 * size, MOST))
    groups.push(known.slice(at, at + size));
  return groups.filter((group) => group.length > 0);
}

/** Segments from the oldest to the newest, as many together as one statement may plan. For readers of whole windows. */
export function oldestFirst(segments: readonly ReadableSegment[]): ReadableSegment[][] {
  const ordered = segments.toSorted((a, b) => a.from - b.from || (a.storedFrom! < b.storedFrom! ? -1 : 1));
  return Array.from({ length: Math.ceil(ordered.length / MOST) }, (_, at) => ordered.slice(at * MOST, (at + 1) * MOST));
}

/** The order of storing, the newest first. */
export const byStoring = { descending: true, boundOf: ({ storedTo }: ReadableSegment) => storedTo } as const;

/** Whether a segment may hold a row that comes before this one. */
function mayPrecede<Row>(segment: ReadableSegment, row: Row, { descending, keyOf, boundOf }: WalkOrder<Row>): boolean {
  const bound = boundOf(segment);
  if (bound === null) return true;
  const time = keyOf(row)[0]!;
  return descending ? bound > time : bound <= time;
}

/** The one that comes first in the order; undefined only when both are. */
function earlier<Row>(one: Row | undefined, other: Row | undefined, order: WalkOrder<Row>): Row | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return compare(one, other, order) <= 0 ? one : other;
}

function compare<Row>(one: Row, other: Row, { descending, keyOf }: WalkOrder<Row>): number {
  const [a, b] = [keyOf(one), keyOf(other)];
  const at = a.findIndex((text, index) => text !== b[index]);
  if (at === -1) return 0;
  const isEarlier = a[at]! < b[at]!;
  return isEarlier === descending ? 1 : -1;
}
