import { type RawBuilder, sql } from 'kysely';

/** The event type with which a client says that its session is over. */
const SESSION_END = 'SessionEnd';

/**
 * The columns of a session after its key. Each can be had `of` the shared groups of a window, and `merge` adds a window,
 * `excluded`, to what was there before, `s`.
 *
 * A SessionEnd ends the session at its own time, unless an event of the session occurred later. Such a session has ended at
 * its last event, and events that arrive late leave it ended. Any other session is opened again by what arrives.
 */
export const SESSION_COLUMNS: Readonly<Record<string, { of: RawBuilder<unknown>; merge: RawBuilder<unknown> }>> = {
  actor: { of: sql`max(actor)`, merge: sql`coalesce(s.actor, excluded.actor)` },
  started_at: { of: sql`min(first_at)`, merge: sql`least(s.started_at, excluded.started_at)` },
  last_event_at: { of: sql`max(last_at)`, merge: sql`greatest(s.last_event_at, excluded.last_event_at)` },
  last_seen_at: { of: sql`max(last_stored_at)`, merge: sql`greatest(s.last_seen_at, excluded.last_seen_at)` },
  event_count: { of: sql`sum(events)::bigint`, merge: sql`s.event_count + excluded.event_count` },
  ended_at: {
    of: sql`CASE WHEN max(last_at) FILTER (WHERE event_type = ${sql.lit(SESSION_END)}) = max(last_at) THEN max(last_at) END`,
    merge: sql`CASE WHEN excluded.ended_at >= s.last_event_at THEN excluded.ended_at
                    WHEN s.ended_at = s.last_event_at AND s.last_event_at >= excluded.last_event_at THEN s.ended_at END`,
  },
  machine_name: { of: sql`min(machine_name)`, merge: sql`coalesce(s.machine_name, excluded.machine_name)` },
  user_domain: { of: sql`min(user_domain)`, merge: sql`coalesce(s.user_domain, excluded.user_domain)` },
};

/** Their names, as a list. */
export const SESSION_NAMES = sql.join(Object.keys(SESSION_COLUMNS).map((name) => sql.ref(name)));

/** A query for the sessions of a window. @param groups the text after FROM */
export function sessionsOf(groups: RawBuilder<unknown>): RawBuilder<unknown> {
  const values = Object.entries(SESSION_COLUMNS).map(([name, { of }]) => sql`${of} AS ${sql.ref(name)}`);
  return sql`
    SELECT tenant, session_id, ${sql.join(values)} FROM ${groups} WHERE session_id IS NOT NULL GROUP BY tenant, session_id`;
}
