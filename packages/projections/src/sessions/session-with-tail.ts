import { type Kysely, type RawBuilder, type SqlBool, sql } from 'kysely';
import { firstOpenSegment } from '@sluice/store/fence/open-segments';
import { hashOf } from '@sluice/store/layout/hashed-columns';
import { windowGroups } from '../fold/window-groups.ts';
import { SESSION_COLUMNS, SESSION_NAMES, sessionsOf } from './session-columns.ts';

/**
 * A query for one session as of this snapshot: what is folded, and its events since then. It has the columns of `sessions`,
 * and no row when neither knows the session. While the fold waits for a rebuild after a move to another cluster, it is what
 * is folded.
 *
 * @param db a transaction of one snapshot, REPEATABLE READ, in which the query runs
 */
export async function sessionWithTail(
  db: Kysely<unknown>,
  tenant: string,
  sessionId: string,
): Promise<RawBuilder<unknown>> {
  const its = sql<SqlBool>`tenant = ${tenant} AND session_id = ${sessionId}`;
  const merged = Object.entries(SESSION_COLUMNS).map(([name, { merge }]) => {
    const column = sql.ref(name);
    return sql`
      CASE WHEN excluded.session_id IS NULL THEN s.${column} WHEN s.session_id IS NULL THEN excluded.${column} ELSE ${merge}
      END AS ${column}`;
  });
  // The tenant is hidden from the index by tenant and time: the planner would take it for a segment without statistics, and
  // read the whole tenant. Left are the block ranges of hot segments and the hashes of sealed ones.
  const ofTenant = sql<SqlBool>`tenant || '' = ${tenant}`;
  const hashed = sql<SqlBool>`${hashOf(sql`session_id`)} = ${hashOf(sql`${sessionId}::text`, sql`${tenant}::text`)}`;
  const tail = await tailOf(db, sql<SqlBool>`session_id = ${sessionId} AND ${hashed} AND ${ofTenant}`);
  return sql`
    WITH s AS (SELECT tenant, session_id, ${SESSION_NAMES} FROM sessions WHERE ${its}),
         excluded AS (${sessionsOf(sql`(${windowGroups(tail)}) AS g`)})
    SELECT tenant, session_id, ${sql.join(merged)} FROM s FULL JOIN excluded USING (tenant, session_id)`;
}

/** The events that are not folded. Those of weekly partitions were counted when they were stored. */
async function tailOf(db: Kysely<unknown>, which: RawBuilder<SqlBool>): Promise<RawBuilder<SqlBool>> {
  const { rows } = await sql<{ tx: string; floor: string; here: boolean }>`
    SELECT tx::text, floor::text, system_identifier = (SELECT system_identifier::text FROM pg_control_system()) AS here
    FROM rollup_generations WHERE state = 'live'`.execute(db);
  const position = rows[0];
  if (position === undefined) return sql<SqlBool>`segment >= 1 AND ${which}`;
  if (!position.here) return sql<SqlBool>`false`;
  const first = Math.max(1, await firstOpenSegment(db, position));
  return sql<SqlBool>`
    segment >= ${first}::integer AND stored_at >= ${position.floor}::timestamptz AND tx >= ${position.tx}::xid8 AND ${which}`;
}
