import { type Kysely, type RawBuilder, sql } from 'kysely';
import { isoTime } from '@sluice/store/iso-time';
import { inSegments, mayHold, type ReadableSegment, type WantedRows } from '@sluice/store/layout/readable-segments';
import type { Interval, RangeParts, TimeRange } from './statistics-range.ts';

/** The columns of `events` that are counted, which are the dimensions of the roll-ups. */
export type Dimension = 'event_type' | 'actor' | 'session_id' | 'resource';

/** The position of the roll-ups; see docs/decisions/0010-rollups.md. */
export interface RollupPosition {
  readonly generation: number;
  /** An xid8, as text. */
  readonly tx: string;
  /** ISO 8601 UTC with microseconds. */
  readonly floor: string;
}

/** The source of the counts. */
export interface CountSource {
  readonly tenant: string;
  readonly parts: RangeParts;
  /** Null when nothing is folded yet; then the range is uncut. */
  readonly position: RollupPosition | null;
  /** All segments, in the same snapshot. */
  readonly segments: readonly ReadableSegment[];
  /** The length of the buckets; null for the range as one bucket. */
  readonly interval: Interval | null;
}

/** Reads the position of the roll-ups in this snapshot; null when nothing is folded yet, or on another cluster. */
export async function readRollupPosition(db: Kysely<unknown>): Promise<RollupPosition | null> {
  const { rows } = await sql<RollupPosition>`
    SELECT generation, tx::text, ${isoTime('floor')} AS floor FROM rollup_generations
    WHERE state = 'live' AND system_identifier = (SELECT system_identifier::text FROM pg_control_system())`.execute(db);
  return rows[0] ?? null;
}

/**
 * A query for rows `(bucket, dimension, value, events)` that together count every event of the range once for each
 * dimension. Whole buckets come from the roll-ups. The edges, and events that are not folded yet, come from `events`. A
 * value may be in several rows. Rows with −1 take off what whole buckets count too much.
 */
export function countedParts(source: CountSource, dimensions: readonly Dimension[]): RawBuilder<unknown> {
  const { tenant, parts, position, interval } = source;
  const { whole, weeks, days, hours, edges, excess } = parts;
  if (whole === null || position === null) return union(edges.map((range) => fromEvents(source, dimensions, range)));
  const tail: Tail = { tx: position.tx, floor: position.floor };
  return union([
    ...weeks.map((range) => fromRollup(sql`rollup_weeks`, range)),
    ...days.map((range) => fromRollup(sql`rollup_days`, range)),
    ...hours.map((range) => fromRollup(sql`rollup_hours`, range)),
    ...edges.map((range) => fromEvents(source, dimensions, range)),
    fromEvents(source, dimensions, whole, { tail }),
    ...excess.map((range) => fromEvents(source, dimensions, range, { count: -1 })),
  ]);

  function fromRollup(table: RawBuilder<unknown>, range: TimeRange): RawBuilder<unknown> {
    return sql`
      SELECT ${bucketOf(interval, sql`bucket`)} AS bucket, dimension, value, events FROM ${table}
      WHERE generation = ${position!.generation} AND tenant = ${tenant} AND dimension = ANY(${dimensions}::text[])
        AND bucket >= ${range.start}::timestamptz AND bucket < ${range.end}::timestamptz`;
  }
}

/** Events that are not folded yet. */
type Tail = Pick<RollupPosition, 'tx' | 'floor'>;

function fromEvents(
  { tenant, interval, segments }: CountSource,
  dimensions: readonly Dimension[],
  { start, end }: TimeRange,
  { tail, count = 1 }: { tail?: Tail; count?: number } = {},
): RawBuilder<unknown> {
  const values = dimensions.map((dimension) => sql`(${sql.lit(dimension)}, ${sql.ref(dimension)})`);
  const wanted: WantedRows = {
    occurredFrom: start,
    occurredBefore: end,
    ...(tail === undefined ? {} : { storedFrom: tail.floor, txFrom: tail.tx }),
  };
  const unfolded =
    tail === undefined ? sql`` : sql`AND stored_at >= ${tail.floor}::timestamptz AND tx >= ${tail.tx}::xid8`;
  return sql`
    SELECT ${bucketOf(interval, sql`occurred_at`)} AS bucket, dimension, value, ${sql.lit(count)}::bigint AS events
    FROM events CROSS JOIN LATERAL (VALUES ${sql.join(values)}) AS v (dimension, value)
    WHERE tenant = ${tenant} AND ${inSegments(segments.filter((segment) => mayHold(segment, wanted)))}
      AND value IS NOT NULL
      AND occurred_at >= ${start}::timestamptz AND occurred_at < ${end}::timestamptz ${unfolded}`;
}

function bucketOf(interval: Interval | null, time: RawBuilder<unknown>): RawBuilder<unknown> {
  return interval === null ? sql`NULL::timestamptz` : sql`date_trunc(${sql.lit(interval)}, ${time}, 'UTC')`;
}

function union(parts: readonly RawBuilder<unknown>[]): RawBuilder<unknown> {
  return sql.join(parts, sql` UNION ALL `);
}
