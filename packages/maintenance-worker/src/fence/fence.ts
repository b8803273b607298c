import { type Kysely, type RawBuilder, type SqlBool, sql } from 'kysely';

/**
 * The fence: every transaction with an id below `tx` has ended, so rows with `events.tx < tx` are complete: no
 * commit can add one any more. What has been read up to one fence is continued from there to the next, and a
 * transaction that commits late is in exactly one of the two.
 *
 * `pg_snapshot_xmin` looks at the transactions of the whole cluster: a long one in any database holds the fence back.
 */
export interface Fence {
  /** An xid8, as text. */
  readonly tx: string;
  /** Transaction ids mean nothing in another cluster, e.g. after a restore. */
  readonly systemIdentifier: string;
  /** When it was read, by the server's clock. */
  readonly fencedAt: Date;
  /**
   * No row with `tx` at or above this fence has a `stored_at` before this: a transaction that was running then had
   * begun by then. Prunes partitions, and nothing else.
   */
  readonly floor: Date;
}

/** How far a reader (an export, the roll-ups) has come: the fence up to which it has read everything. */
export interface Position extends Fence {
  /**
   * Rows stored before this are behind the position whatever their `tx` is: they are of another cluster, from which
   * this one was restored. Null when the data has never moved.
   */
  readonly base: Date | null;
}

/** A writing transaction ends before this, in milliseconds; see `transaction_timeout` in event-statements' connection. */
export const LONGEST_TRANSACTION_MS = 10 * 60_000;

/**
 * Reads the fence. Statements behind it may run on any connection of the primary: what is below `tx` has ended for all.
 *
 * @throws when the server is a replica, whose snapshots say nothing of the primary's running transactions
 */
export async function readFence(db: Kysely<unknown>): Promise<Fence> {
  const { rows } = await sql<{ tx: string; system_identifier: string; fenced_at: Date; floor: Date; replica: boolean }>`
    SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS tx,
           (SELECT system_identifier::text FROM pg_control_system()) AS system_identifier,
           clock_timestamp() AS fenced_at,
           clock_timestamp() - make_interval(secs => ${LONGEST_TRANSACTION_MS / 1000}) AS floor,
           pg_is_in_recovery() AS replica`.execute(db);
  const row = rows[0];
  if (row === undefined || row.replica)
    throw new Error('the fence can only be read on the primary; this server is a replica');
  return { tx: row.tx, systemIdentifier: row.system_identifier, fencedAt: row.fenced_at, floor: row.floor };
}

/**
 * The rows of `events` between a position and a fence.
 *
 * @param from null for everything from the beginning
 */
export function inWindow(from: Position | null, to: Fence): RawBuilder<SqlBool> {
  if (from === null) return sql<SqlBool>`tx < ${to.tx}::xid8`;
  const since = from.base !== null && from.base > from.floor ? from.base : from.floor;
  return sql<SqlBool>`stored_at >= ${since} AND tx >= ${from.tx}::xid8 AND tx < ${to.tx}::xid8`;
}
