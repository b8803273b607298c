import { type Kysely, sql } from 'kysely';
import { STORE_NO_EVENTS } from '../application-names.ts';
import { isoTime } from '../iso-time.ts';

/**
 * Observes the open transactions of this database, on the primary.
 *
 * The order of the two statements matters. A transaction that gets its id after the second one was open at the first, and
 * counts in the floor, or began later. In one statement, or in the other order, the ids would be older than the sessions,
 * and a transaction that ends in between would be in neither.
 *
 * @throws when the server is a replica: its snapshots do not contain the primary's running transactions
 */
export async function observeOpenTransactions(
  db: Kysely<unknown>,
  { marginMs, longestMs }: ObserverLimits,
): Promise<Observation> {
  const margin = sql`make_interval(secs => ${marginMs / 1000})`;
  const sessions = await sql<{ observed_at: string; floor: string | null; longest_ago: string | null }>`
    SELECT ${isoTime(sql`now`)} AS observed_at,
           CASE WHEN coalesce(bool_or(hidden), false) THEN NULL
           ELSE ${isoTime(sql`least(min(xact_start), now) - ${margin}`)} END AS floor,
           ${isoTime(sql`now - make_interval(secs => ${longestMs === null ? null : longestMs / 1000})`)} AS longest_ago
    FROM (SELECT clock_timestamp() AS now) AS clock LEFT JOIN (${openSessions}) AS s ON true
    GROUP BY now`.execute(db);
  const ids = await sql<{ next_tx: string; ended_below: string; replica: boolean }>`
    SELECT pg_snapshot_xmax(s)::text AS next_tx, pg_snapshot_xmin(s)::text AS ended_below, pg_is_in_recovery() AS replica
    FROM pg_current_snapshot() s`.execute(db);
  const { observed_at: observedAt, floor, longest_ago: longestAgo } = sessions.rows[0]!;
  const { next_tx: nextTx, ended_below: endedBelow, replica } = ids.rows[0]!;
  if (replica) throw new Error('committed events can only be followed on the primary; DATABASE_URL names a replica');
  return { nextTx, endedBelow, observedAt, floor: later(floor, longestAgo) };
}

/**
 * The transactions of Postgres at one moment. It proves that a transaction with the id `nextTx` or a later one began at
 * `floor` or later, and that every transaction below `endedBelow` has ended. Ids are xid8 as text. Times are ISO 8601 UTC
 * with microseconds, by the server's clock.
 */
export interface Observation {
  /** No transaction had this id or a higher one yet. */
  readonly nextTx: string;
  /** Null when it is unknown, because a session hides when it began. */
  readonly floor: string | null;
  readonly endedBelow: string;
  /** When the sessions were observed. */
  readonly observedAt: string;
}

/** What differs between the readers of committed events. */
export interface ObserverLimits {
  /**
   * How far the floor is set back, in milliseconds. A backend reads its start time a few instructions before others can
   * see it, and the server's clock may be set back. Observations that are stored need a larger margin than those that are
   * used for minutes.
   */
  readonly marginMs: number;
  /**
   * A transaction that is open for longer than this, in milliseconds, counts as one that only reads. Then the floor is
   * known although sessions hide. Null for a reader that must not rely on that: one whose windows are never read again.
   */
  readonly longestMs: number | null;
}

/** The later of two times, which sort as text because they have one format. A null is no bound. */
function later(one: string | null, other: string | null): string | null {
  if (one === null || other === null) return one ?? other;
  return one > other ? one : other;
}

/**
 * Sessions of this database that may store events. Left out are this session, background processes, roles without the
 * privilege, and Sluice's own sessions that only read. PostgreSQL hides the state and the start of other roles' sessions,
 * unless this role has pg_read_all_stats.
 */
const openSessions = sql`
  SELECT xact_start, usename, state IS NULL AND query = '<insufficient privilege>' AS hidden
  FROM pg_stat_activity
  WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename IS NOT NULL
    AND has_table_privilege(usename, 'events', 'INSERT')
    AND coalesce(application_name, '') <> ALL(${STORE_NO_EVENTS}::text[])`;

/** Roles whose sessions in this database may store events and hide when they began. */
export async function hiddenRoles(db: Kysely<unknown>): Promise<string[]> {
  const { rows } = await sql<{ usename: string }>`
    SELECT DISTINCT usename FROM (${openSessions}) AS s WHERE hidden ORDER BY usename`.execute(db);
  return rows.map((row) => row.usename);
}
