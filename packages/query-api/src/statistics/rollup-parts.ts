import { type Kysely, type RawBuilder, sql } from 'kysely';
import { storedSince } from '../events/event-filter.ts';
import type { Interval, RangeParts, TimeRange } from './statistics-range.ts';

/** The columns of `events` that are counted, which are the dimensions of the roll-ups. */
export type Dimension = 'event_type' | 'actor' | 'session_id' | 'resource';

/** The position of the roll-ups; see docs/decisions/0010-rollups.md. */
export interface RollupPosition {
  readonly generation: number;
  /** An xid8, as text. */
  readonly tx: string;
  readonly floor: string;
}

/** The source of the counts. */
export interface CountSource {
  readonly tenant: string;
  readonly parts: RangeParts;
  /** Null when nothing is folded yet; then the range is uncut. */
  readonly position: RollupPosition | null;
  /** The length of the buckets; null for the range as one bucket. */
  readonly interval: Interval | null;
}

/** Reads the position of the roll-ups in this snapshot; null when nothing is folded yet, or on another cluster. */
export async function readRollupPosition(db: Kysely<unknown>): Promise<RollupPosition | null> {
  const { rows } = await sql<RollupPosition>`
    SELECT generation, tx::text, floor::text FROM rollup_generations
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
  const tail = sql`AND stored_at >= ${position.floor}::timestamptz AND tx >= ${position.tx}::xid8`;
  return union([
    ...weeks.map((range) => fromRollup(sql`rollup_weeks`, range)),
    ...days.map((range) => fromRollup(sql`rollup_days`, range)),
    ...hours.map((range) => fromRollup(sql`rollup_hours`, range)),
    ...edges.map((range) => fromEvents(source, dimensions, range)),
    fromEvents(source, dimensions, whole, tail),
    ...excess.map((range) => fromEvents(source, dimensions, range, sql``, -1)),
  ]);

  function fromRollup(table: RawBuilder<unknown>, range: TimeRange): RawBuilder<unknown> {
    return sql`
      SELECT ${bucketOf(interval, sql`bucket`)} AS bucket, dimension, value, events FROM ${table}
      WHERE generation = ${position!.generation} AND tenant = ${tenant} AND dimension = ANY(${dimensions}::text[])
        AND bucket >= ${range.start}::timestamptz AND bucket < ${range.end}::timestamptz`;
  }
}

function fromEvents(
  { tenant, interval }: CountSource,
  dimensions: readonly Dimension[],
  { start, end }: TimeRange,
  further = sql``,
  count = 1,
): RawBuilder<unknown> {
  const values = dimensions.map((dimension) => sql`(${sql.lit(dimension)}, ${sql.ref(dimension)})`);
  return sql`
    SELECT ${bucketOf(interval, sql`occurred_at`)} AS bucket, dimension, value, ${sql.lit(count)}::bigint AS events
    FROM events CROSS JOIN LATERAL (VALUES ${sql.join(values)}) AS v (dimension, value)
    WHERE tenant = ${tenant} AND ${storedSince(start)} AND value IS NOT NULL
      AND occurred_at >= ${start}::timestamptz AND occurred_at < ${end}::timestamptz ${further}`;
}

function bucketOf(interval: Interval | null, time: RawBuilder<unknown>): RawBuilder<unknown> {
  return interval === null ? sql`NULL::timestamptz` : sql`date_trunc(${sql.lit(interval)}, ${time}, 'UTC')`;
}

function union(parts: readonly RawBuilder<unknown>[]): RawBuilder<unknown> {
  return sql.join(parts, sql` UNION ALL `);
}
