import { type RawBuilder, type SqlBool, sql } from 'kysely';

/**
 * Payloads above this size, in bytes as stored, are not looked into for the names of machine and domain: Postgres keeps them
 * outside of the row, and reading a window of them would read all of their bytes.
 */
const INLINE_BYTES = 2_000;

/** A query for the groups that all projections of a window share; see FoldWindow. @param which a condition on `events` */
export function windowGroups(which: RawBuilder<SqlBool>): RawBuilder<unknown> {
  return sql`
    SELECT tenant, date_bin('1 hour', occurred_at, 'epoch') AS hour, session_id, actor, event_type, count(*) AS events,
           min(occurred_at) AS first_at, max(occurred_at) AS last_at, max(stored_at) AS last_stored_at,
           ${leastText('machineName')} AS machine_name, ${leastText('userDomain')} AS user_domain
    FROM events WHERE ${which}
    GROUP BY tenant, hour, session_id, actor, event_type`;
}

function leastText(property: string): RawBuilder<unknown> {
  return sql`
    min((payload ->> ${sql.lit(property)}) COLLATE "C") FILTER (WHERE pg_column_size(payload) <= ${sql.lit(INLINE_BYTES)})`;
}
