import { type Kysely, type RawBuilder, type SqlBool, sql } from 'kysely';
import { isoTime } from '../iso-time.ts';
import { mayHold, type ReadableSegment } from '../layout/readable-segments.ts';

/**
 * The fence. Every transaction with an id below `tx` has ended, so rows with `events.tx < tx` are complete: no commit can
 * add one any more. A reader continues from one fence to the next, and a transaction that commits late falls into exactly
 * one of the two windows.
 *
 * `pg_snapshot_xmin` covers the transactions of the whole cluster: a long one in any database holds the fence back.
 */
export interface Fence {
  /** An xid8, as text. */
  readonly tx: string;
  /** Transaction ids mean nothing in another cluster, e.g. after a restore. */
  readonly systemIdentifier: string;
  /** When it was read, by the server's clock. All times here are ISO 8601 UTC with microseconds. */
  readonly fencedAt: string;
  /**
   * No row with `tx` at or above this fence has a `stored_at` before this; see observe-transactions. Only used to prune
   * segments.
   */
  readonly floor: string;
  /**
   * Rows stored before this come from the cluster that this one was restored from; their `tx` means nothing here. Null
   * when the data has never moved.
   */
  readonly base: string | null;
}

/** The position of a reader (an export, the roll-ups): the fence up to which it has read everything. */
export type Position = Fence;

/**
 * Reads the fence. Later statements may run on any connection of the primary: what is below `tx` has ended for all.
 *
 * @throws when the server is a replica: its snapshots do not contain the primary's running transactions
 */
export async function readFence(db: Kysely<unknown>): Promise<Fence> {
  const { rows } = await sql<{
    tx: string;
    system_identifier: string;
    fenced_at: string;
    floor: string;
    base: string | null;
    replica: boolean;
  }>`
    WITH now AS MATERIALIZED (
      SELECT pg_snapshot_xmin(pg_current_snapshot()) AS tx, system_identifier::text FROM pg_control_system()
    )
    SELECT tx::text, system_identifier, pg_is_in_recovery() AS replica,
           ${isoTime(sql`clock_timestamp()`)} AS fenced_at,
           -- The newest observation that is older than every transaction at or above the fence.
           ${isoTime(sql`coalesce((
             SELECT o.floor FROM fence_observations o
             WHERE o.system_identifier = now.system_identifier AND o.next_tx <= now.tx
             ORDER BY o.next_tx DESC LIMIT 1), 'epoch')`)} AS floor,
           ${isoTime(sql`(
             SELECT c.base FROM fence_clusters c
             WHERE c.system_identifier = now.system_identifier ORDER BY c.id DESC LIMIT 1)`)} AS base
    FROM now`.execute(db);
  const row = rows[0];
  if (row === undefined || row.replica)
    throw new Error('the fence can only be read on the primary; this server is a replica');
  return {
    tx: row.tx,
    systemIdentifier: row.system_identifier,
    fencedAt: row.fenced_at,
    floor: row.floor,
    base: row.base,
  };
}

/**
 * The rows of `events` between a position and a fence.
 *
 * @param from null to start at the first event
 */
export function inWindow(from: Position | null, to: Fence): RawBuilder<SqlBool> {
  if (from !== null) {
    return sql<SqlBool>`(${storedFromFloor(from)} AND tx >= ${from.tx}::xid8 AND tx < ${to.tx}::xid8)`;
  }
  if (to.base === null) return sql<SqlBool>`tx < ${to.tx}::xid8`;
  return sql<SqlBool>`(stored_at < ${to.base}::timestamptz OR tx < ${to.tx}::xid8)`;
}

/** Those of some segments that may hold a row of a window. */
export function segmentsInWindow(
  segments: readonly ReadableSegment[],
  from: Pick<Position, 'tx' | 'floor' | 'base'> | null,
): ReadableSegment[] {
  if (from === null) return [...segments];
  return segmentsFromFloor(segments, from).filter((segment) => mayHold(segment, { txFrom: from.tx }));
}

/** Those that may hold a row of `storedFromFloor`. */
export function segmentsFromFloor(
  segments: readonly ReadableSegment[],
  { floor, base }: Pick<Position, 'floor' | 'base'>,
): ReadableSegment[] {
  return segments.filter(
    (segment) => mayHold(segment, { storedFrom: floor }) && mayHold(segment, { storedFrom: base ?? undefined }),
  );
}

/** Skips partitions in which no row after a position can be. The times are bound as parameters, so they prune. */
export function storedFromFloor({ floor, base }: Position): RawBuilder<SqlBool> {
  const since = sql<SqlBool>`stored_at >= ${floor}::timestamptz`;
  return base === null ? since : sql<SqlBool>`${since} AND stored_at >= ${base}::timestamptz`;
}
