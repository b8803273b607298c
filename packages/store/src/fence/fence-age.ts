import { type Kysely, sql } from 'kysely';

/** How old the fence is, and which transactions hold it back. */
export interface FenceAge {
  /** Events stored within this time may not be below the fence yet; 0 when nothing holds it back. */
  readonly seconds: number;
  /** The oldest transactions of the cluster that have an id, oldest first. */
  readonly holders: readonly FenceHolder[];
}

/** A session or a prepared transaction with an id. */
export interface FenceHolder {
  readonly kind: 'session' | 'prepared';
  /** Null for a prepared transaction: it has no process. */
  readonly pid: number | null;
  /** Of a prepared transaction: the argument of COMMIT PREPARED and ROLLBACK PREPARED. */
  readonly gid: string | null;
  readonly database: string | null;
  readonly role: string | null;
  readonly application: string | null;
  readonly state: string | null;
  /** Since its start, or since it was prepared; null when this role may not see it. */
  readonly seconds: number | null;
}

/** Reads the age of the fence from the whole cluster: a transaction in any database holds it back. */
export async function fenceAge(db: Kysely<unknown>): Promise<FenceAge> {
  const { rows } = await sql<FenceHolder>`
    SELECT kind, pid, gid, database, role, application, state, seconds FROM (
      SELECT 'session' AS kind, pid, NULL AS gid, datname AS database, usename AS role,
             application_name AS application, state, age(backend_xid) AS xids,
             extract(epoch FROM clock_timestamp() - xact_start)::float AS seconds
      FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()
      UNION ALL
      SELECT 'prepared', NULL, gid, database, owner, NULL, 'prepared', age(transaction),
             extract(epoch FROM clock_timestamp() - prepared)::float
      FROM pg_prepared_xacts) AS h
    ORDER BY xids DESC LIMIT 5`.execute(db);
  // An observation below the fence proves that everything before it has ended. It covers what privileges hide.
  const { rows: ages } = await sql<{ held: boolean; seconds: number | null }>`
    SELECT pg_snapshot_xmin(s) < pg_snapshot_xmax(s) AS held,
           (SELECT extract(epoch FROM clock_timestamp() - max(o.observed_at))::float
            FROM fence_observations o JOIN pg_control_system() c ON o.system_identifier = c.system_identifier::text
            WHERE o.next_tx <= pg_snapshot_xmin(s)) AS seconds
    FROM pg_current_snapshot() AS s`.execute(db);
  const { held, seconds } = ages[0]!;
  // Before the first observation only the holder's own age is known.
  return { seconds: held ? (seconds ?? rows[0]?.seconds ?? 0) : 0, holders: rows };
}
