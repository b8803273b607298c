import { isoTime } from '../iso-time.ts';
import { type Kysely, sql } from 'kysely';

/**
 * How far an observation is set back, in seconds. A transaction's start is visible a few instructions of the server
 * after it was taken; and a clock that is set back must not matter.
 */
const SLACK_SECONDS = 60;

/** What is open in this database, and the next transaction id after that was looked at. */
interface Observation {
  /** No transaction that has an id at or above `nextTx` began before this; null when it can't be known. */
  readonly floor: string | null;
  readonly nextTx: string;
}

/**
 * Notes from when on transactions can have begun whose ids are not given out yet. This is what prunes the windows of
 * exports: a row's `stored_at` is the start of its transaction, which may lie any time before it got its id and any
 * time before it ended, so neither the fence nor a time-out bounds it. But whoever gets an id later than an
 * observation was open at it, and is counted in its floor, or began after it.
 *
 * First who is open, then the next id, in two statements: in one, the snapshot would be the older of the two.
 */
export async function observeTransactions(db: Kysely<unknown>, slackSeconds = SLACK_SECONDS): Promise<void> {
  const { floor, nextTx } = await observe(db, slackSeconds);
  // Windows then begin where they began before: slower, and still right. `check-fence` warns of it.
  if (floor === null) return;
  await sql`
    INSERT INTO fence_observations (system_identifier, next_tx, floor, observed_at)
    SELECT system_identifier::text, ${nextTx}::xid8, ${floor}::timestamptz, clock_timestamp() FROM pg_control_system()
    ON CONFLICT DO NOTHING`.execute(db);
  // Those before the newest that a fence can use are of no use to any later fence.
  await sql`
    DELETE FROM fence_observations WHERE next_tx < (
      SELECT max(o.next_tx) FROM fence_observations o JOIN pg_control_system() s
      ON o.system_identifier = s.system_identifier::text AND o.next_tx <= pg_snapshot_xmin(pg_current_snapshot()))`.execute(
    db,
  );
}

/** The time before which no transaction that is open, or is to come, began; null when a session's start is hidden. */
export async function earliestOpenStart(db: Kysely<unknown>): Promise<string | null> {
  return (await observe(db, SLACK_SECONDS)).floor;
}

async function observe(db: Kysely<unknown>, slackSeconds: number): Promise<Observation> {
  const { rows } = await sql<{ floor: string | null }>`
    SELECT CASE WHEN coalesce(bool_or(hidden), false) THEN NULL
           ELSE ${isoTime(sql`least(min(xact_start), clock_timestamp()) - make_interval(secs => ${slackSeconds})`)}
           END AS floor
    FROM (${openSessions}) AS s`.execute(db);
  const next = await sql<{ tx: string }>`
    SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS tx`.execute(db);
  return { floor: rows[0]?.floor ?? null, nextTx: next.rows[0]!.tx };
}

/**
 * Sessions of this database that may store events. Of other roles' sessions PostgreSQL shows neither state nor start
 * unless this role has pg_read_all_stats. Sluice's own readers store none, and exports take long.
 */
const openSessions = sql`
  SELECT xact_start, usename, state IS NULL AND query = '<insufficient privilege>' AS hidden
  FROM pg_stat_activity
  WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename IS NOT NULL
    AND has_table_privilege(usename, 'events', 'INSERT')
    AND coalesce(application_name, '') NOT IN ('sluice-maintenance', 'sluice-query')`;

/** Roles whose sessions in this database could store events and hide when they began. */
export async function hiddenRoles(db: Kysely<unknown>): Promise<string[]> {
  const { rows } = await sql<{ usename: string }>`
    SELECT DISTINCT usename FROM (${openSessions}) AS s WHERE hidden ORDER BY usename`.execute(db);
  return rows.map((row) => row.usename);
}
