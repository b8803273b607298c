import { type Kysely, type RawBuilder, sql } from 'kysely';
import { MAX_FUTURE_MS } from '@sluice/events/canonical-event';

/** Sessions that one statement replaces. */
const BATCH = 20_000;

/**
 * Puts the rebuilt sessions in the place of the current ones. A session of which events may be deleted never becomes
 * smaller: it gets what the rebuild has more. Sessions without any stored event stay as they are.
 *
 * Nothing is stored more than 24 hours before its own time, so all events of a session were stored after its start less
 * those. When nothing stored since was deleted, the session is whole. Before the migration nobody noted what was deleted.
 */
export async function replaceSessions(db: Kysely<unknown>): Promise<void> {
  // While retention takes a segment away, its events are neither stored nor noted as deleted.
  const { rows: expiring } = await sql`SELECT FROM segments WHERE state = 'expiring' LIMIT 1`.execute(db);
  const mayBeWhole = expiring.length === 0;
  let after: Key | null = null;
  do {
    after = await replaceBatch(db, after, mayBeWhole);
  } while (after !== null);
  await sql`TRUNCATE rebuilt_sessions`.execute(db);
}

interface Key {
  readonly tenant: string;
  readonly sessionId: string;
}

/** @returns the last key; null when there are no more */
async function replaceBatch(db: Kysely<unknown>, after: Key | null, mayBeWhole: boolean): Promise<Key | null> {
  const beyond = after === null ? sql`true` : sql`(tenant, session_id) > (${after.tenant}, ${after.sessionId})`;
  const { rows } = await sql<{ tenant: string; session_id: string; number: string }>`
    WITH rebuilt AS MATERIALIZED (
      SELECT * FROM rebuilt_sessions WHERE ${beyond} ORDER BY tenant, session_id LIMIT ${BATCH}
    ), judged AS MATERIALIZED (
      SELECT r.*, s.session_id IS NULL OR (${mayBeWhole}::boolean AND s.started_at - make_interval(secs => ${MAX_FUTURE_MS / 1_000}) >= greatest(
               h.stored_to, (SELECT applied_at FROM sluice_migrations WHERE name = '0010-folded-sessions'))) AS whole
      FROM rebuilt AS r LEFT JOIN sessions AS s USING (tenant, session_id) LEFT JOIN deletion_horizons AS h USING (tenant)
    ), whole AS (
      ${replace(sql`whole`, WHOLE)}
    ), partly AS (
      ${replace(sql`NOT whole`, PARTLY)}
    )
    SELECT tenant, session_id, (SELECT count(*) FROM rebuilt) AS number FROM rebuilt
    ORDER BY tenant DESC, session_id DESC LIMIT 1`.execute(db);
  const last = rows[0];
  return last === undefined || Number(last.number) < BATCH ? null : { tenant: last.tenant, sessionId: last.session_id };
}

function replace(which: RawBuilder<unknown>, values: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`
    INSERT INTO sessions AS s (
      tenant, session_id, actor, started_at, last_event_at, last_seen_at, event_count, ended_at, machine_name, user_domain)
    SELECT tenant, session_id, actor, started_at, last_event_at, last_seen_at, event_count, ended_at, machine_name, user_domain
    FROM judged WHERE ${which}
    ON CONFLICT (tenant, session_id) DO UPDATE SET ${values}`;
}

/** A session that was idle stays ended, when nothing has arrived since. */
const ENDED_AT = sql`
  ended_at = CASE WHEN excluded.ended_at IS NOT NULL THEN excluded.ended_at
                  WHEN s.last_seen_at >= excluded.last_seen_at THEN s.ended_at END`;

const WHOLE = sql`
  actor = excluded.actor, started_at = excluded.started_at, last_event_at = excluded.last_event_at,
  last_seen_at = excluded.last_seen_at, event_count = excluded.event_count, ${ENDED_AT},
  machine_name = excluded.machine_name, user_domain = excluded.user_domain`;

const PARTLY = sql`
  actor = coalesce(s.actor, excluded.actor),
  started_at = least(s.started_at, excluded.started_at),
  last_event_at = greatest(s.last_event_at, excluded.last_event_at),
  last_seen_at = greatest(s.last_seen_at, excluded.last_seen_at),
  event_count = greatest(s.event_count, excluded.event_count), ${ENDED_AT},
  machine_name = coalesce(s.machine_name, excluded.machine_name),
  user_domain = coalesce(s.user_domain, excluded.user_domain)`;
