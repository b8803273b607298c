import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { UntilGone } from '../http/client-gone.ts';
import { type CountSource, countedParts, type Dimension } from './rollup-parts.ts';

/** `exact` builds each set; `approximate` keeps 4,096 hashes of it, whatever its size. */
export type DistinctMethod = 'exact' | 'approximate';

/** Registers of an approximate count. */
const REGISTERS = 4_096;

/** Standard error of an approximate count, as a fraction: 1/√(registers − 2). */
export const DISTINCT_ERROR = 0.016;

/** The counts of one bucket of one dimension. */
export interface DistinctCount {
  /** ISO 8601 UTC; null when the range is one bucket. */
  readonly bucket: string | null;
  readonly dimension: Dimension;
  /** The event type; null for the other dimensions, of which only the number is counted. */
  readonly type: string | null;
  /** Events of this type. */
  readonly events: number;
  /** Distinct values. */
  readonly values: number;
}

/** Counts events by type, and distinct values exactly, in one pass. */
export async function countExactly(
  db: Kysely<unknown>,
  source: CountSource,
  dimensions: readonly Dimension[],
  untilGone: UntilGone,
): Promise<DistinctCount[]> {
  const { rows } = await sql<Record<'events' | 'values', string> & Omit<DistinctCount, 'events' | 'values'>>`
    WITH seen AS (
      SELECT bucket, dimension, value, sum(events) AS events FROM (${countedParts(source, dimensions)}) p GROUP BY 1, 2, 3
      HAVING sum(events) > 0
    )
    SELECT ${BUCKET}, dimension, CASE WHEN dimension = 'event_type' THEN value END AS type, sum(events) AS events, count(*) AS values
    FROM seen GROUP BY bucket, dimension, type`.execute(db, untilGone);
  return rows.map((row) => ({ ...row, events: Number(row.events), values: Number(row.values) }));
}

/**
 * Counts distinct values to within 1.6 % (one standard error), in constant memory. Each value's hash decides its
 * register and a number in (0, 1]; a register keeps the least. With n values that is the first arrival of a Poisson
 * process of rate n/m, seen until 1; so n ≈ m · (registers that saw any) ÷ (sum of all registers, 1 for an empty one).
 */
export async function countApproximately(
  db: Kysely<unknown>,
  source: CountSource,
  dimensions: readonly Dimension[],
  untilGone: UntilGone,
): Promise<DistinctCount[]> {
  const { rows } = await sql<{ bucket: string | null; dimension: Dimension; filled: string; least: number }>`
    WITH hashed AS (
      SELECT bucket, dimension, hashtextextended(value, 0) AS hash FROM (${countedParts(source, dimensions)}) p
    ), registers AS (
      SELECT bucket, dimension, hash & ${sql.lit(REGISTERS - 1)} AS register,
             min((hash >> 12) & ((1::bigint << 52) - 1)) AS least
      FROM hashed GROUP BY 1, 2, 3
    )
    SELECT ${BUCKET}, dimension, count(*) AS filled, sum((least + 1)::float8 / (1::bigint << 52)) AS least
    FROM registers GROUP BY bucket, dimension`.execute(db, untilGone);
  return rows.map(({ bucket, dimension, filled, least }) => {
    const seen = Number(filled);
    return {
      bucket,
      dimension,
      type: null,
      events: 0,
      values: Math.round((REGISTERS * seen) / (least + REGISTERS - seen)),
    };
  });
}

const BUCKET = sql`to_char(bucket AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS bucket` as RawBuilder<
  string | null
>;
