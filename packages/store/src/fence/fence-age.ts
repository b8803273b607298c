import { type Kysely, sql } from 'kysely';

/** How far the fence is behind, and who holds it there. */
export interface FenceAge {
  /** What has been stored in this time may be behind no fence yet; 0 when nothing holds it back. */
  readonly seconds: number;
  /** The oldest transactions of the cluster that have an id, the holder first. */
  readonly holders: readonly FenceHolder[];
}

/** A session or a prepared transaction that has an id. */
export interface FenceHolder {
  readonly kind: 'session' | 'prepared';
  /** Null for a prepared transaction: it has no process. */
  readonly pid: number | null;
  /** Of a prepared transaction; what COMMIT PREPARED and ROLLBACK PREPARED are told. */
  readonly gid: string | null;
  readonly database: string | null;
  readonly role: string | null;
  readonly application: string | null;
  readonly state: string | null;
  /** Since its start, or since it was prepared; null when this role may not see it. */
  readonly seconds: number | null;
}

/** Looks at the whole cluster: any database's transaction holds the fence back. */
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
  // An observation below the fence says that everything before it has ended; it sees what privileges hide.
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
