import { type Kysely, sql } from 'kysely';
import { isoTime } from '../iso-time.ts';

/**
 * What a segment is good for:
 *
 *     next ──► hot ──► closed ──► sealed ──► expiring
 *
 * - `next`: made and attached, empty. The rotation makes it hot.
 * - `hot`: writers store here, in exactly one. Its indexes are few.
 * - `closed`: complete, and not indexed yet.
 * - `sealed`: indexed, frozen, and its bounds are known.
 * - `expiring`: retention is taking it away.
 */
export type SegmentState = (typeof STATES)[number];

const STATES = ['next', 'hot', 'closed', 'sealed', 'expiring'] as const;

/** A table of events: the partition of `events` for some running numbers, or a weekly partition of an older version. */
export interface Segment {
  readonly relation: string;
  /** Numbers of `events.segment`, inclusive and exclusive. Weekly partitions all have the number 0. */
  readonly from: number;
  readonly to: number;
  readonly state: SegmentState;
  /** Bounds of its times, inclusive and exclusive, ISO 8601 UTC with microseconds; null until it is sealed, and for what an older version left. */
  readonly storedFrom: string | null;
  readonly storedTo: string | null;
  readonly occurredFrom: string | null;
  readonly occurredTo: string | null;
  /** No row of it has a higher `tx`; an xid8 as text. Null until it is sealed. */
  readonly txTo: string | null;
  /** Number of its events when it was sealed. */
  readonly rows: number | null;
}

/** All segments, oldest first. */
export async function listSegments(db: Kysely<unknown>): Promise<Segment[]> {
  const { rows } = await sql<Omit<Segment, 'rows'> & { rows: string | null }>`
    SELECT relation, segment_from AS "from", segment_to AS "to", state,
           ${isoTime(sql`stored_from`)} AS "storedFrom", ${isoTime(sql`stored_to`)} AS "storedTo",
           ${isoTime(sql`occurred_from`)} AS "occurredFrom", ${isoTime(sql`occurred_to`)} AS "occurredTo",
           tx_to::text AS "txTo", rows
    FROM segments ORDER BY segment_from, stored_from NULLS LAST`.execute(db);
  return rows.map((row) => ({ ...row, rows: row.rows === null ? null : Number(row.rows) }));
}

/** Number of segments in each state. */
export async function countSegments(db: Kysely<unknown>): Promise<ReadonlyMap<SegmentState, number>> {
  const counts = new Map<SegmentState, number>(STATES.map((state) => [state, 0]));
  const { rows } = await sql<{ state: SegmentState; count: string }>`
    SELECT state, count(*) FROM segments GROUP BY state`.execute(db);
  for (const { state, count } of rows) counts.set(state, Number(count));
  return counts;
}
