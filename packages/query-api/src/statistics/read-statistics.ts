import { type Kysely, sql } from 'kysely';
import type { Database } from '@sluice/store/database';
import { readableSegments } from '@sluice/store/layout/readable-segments';
import { inTransaction } from '@sluice/store/transaction';
import type { UntilGone } from '../http/client-gone.ts';
import { countApproximately, countExactly, type DistinctCount, type DistinctMethod } from './count-distinct.ts';
import { type CountSource, type Dimension, readRollupPosition } from './rollup-parts.ts';
import { bucketStarts, cutRange, type Interval, type TimeRange, uncut } from './statistics-range.ts';

/** The counts of a range, or of one bucket. */
export interface Counts {
  readonly total_events: number;
  readonly events_by_type: Readonly<Record<string, number>>;
  readonly unique_users: number;
  readonly unique_sessions: number;
  readonly unique_resources: number;
  /** The same, under its name in 0.1.0. */
  readonly unique_workbooks: number;
}

/** One bucket of a series, with its start. */
export type CountsOfBucket = Counts & { readonly start: string };

/** Selects the statistics. */
export interface StatisticsQuery {
  readonly tenant: string;
  readonly range: TimeRange;
  readonly interval: Interval | null;
  readonly distinct: DistinctMethod;
}

const SETS: readonly Dimension[] = ['actor', 'session_id', 'resource'];

/** Reads the counts of a range and, with an interval, of each bucket that it touches, also empty ones. All are of one snapshot. */
export async function readStatistics(
  database: Database,
  query: StatisticsQuery,
  untilGone: UntilGone,
): Promise<{ counts: Counts; series: readonly CountsOfBucket[] | null }> {
  return inTransaction(database, async (db) => {
    await sql`SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY`.execute(db);
    const read: Snapshot = { position: await readRollupPosition(db), segments: await readableSegments(db) };
    const [counts = NOTHING] = (await countBuckets(db, query, null, read, untilGone)).values();
    if (query.interval === null) return { counts, series: null };
    const buckets = await countBuckets(db, query, query.interval, read, untilGone);
    const series = bucketStarts(query.range, query.interval).map((ms) => {
      const start = new Date(ms).toISOString();
      return { start, ...(buckets.get(start) ?? NOTHING) };
    });
    return { counts, series };
  });
}

/** What the counts come from, all of one moment. */
type Snapshot = Pick<CountSource, 'position' | 'segments'>;

async function countBuckets(
  db: Kysely<unknown>,
  { tenant, range, distinct }: StatisticsQuery,
  interval: Interval | null,
  { position, segments }: Snapshot,
  untilGone: UntilGone,
): Promise<ReadonlyMap<string | null, Counts>> {
  const sourceOf = (mayExceed: boolean): CountSource => ({
    tenant,
    parts: position === null ? uncut(range) : cutRange(range, { finest: interval, now: Date.now(), mayExceed }),
    position,
    segments,
    interval,
  });
  const rows =
    distinct === 'exact'
      ? await countExactly(db, sourceOf(true), ['event_type', ...SETS], untilGone)
      : [
          ...(await countExactly(db, sourceOf(true), ['event_type'], untilGone)),
          ...(await countApproximately(db, sourceOf(false), SETS, untilGone)),
        ];
  return new Map([...Map.groupBy(rows, ({ bucket }) => bucket)].map(([bucket, ofOne]) => [bucket, countsOf(ofOne)]));
}

const NOTHING: Counts = {
  total_events: 0,
  events_by_type: {},
  unique_users: 0,
  unique_sessions: 0,
  unique_resources: 0,
  unique_workbooks: 0,
};

function countsOf(rows: readonly DistinctCount[]): Counts {
  const types = rows
    .filter(({ type }) => type !== null)
    .toSorted((a, b) => b.events - a.events || (a.type! < b.type! ? -1 : 1));
  const distinct = (wanted: Dimension): number => rows.find(({ dimension }) => dimension === wanted)?.values ?? 0;
  const resources = distinct('resource');
  return {
    total_events: types.reduce((sum, { events }) => sum + events, 0),
    events_by_type: Object.fromEntries(types.map(({ type, events }) => [type!, events])),
    unique_users: distinct('actor'),
    unique_sessions: distinct('session_id'),
    unique_resources: resources,
    unique_workbooks: resources,
  };
}
