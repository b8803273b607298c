import { type RawBuilder, sql } from 'kysely';
import type { FoldWindow } from '@sluice/store/projection';

/** The event type with which a client says that its session is over. */
const SESSION_END = 'SessionEnd';

/** Adds a window's events to the sessions. */
export function foldSessions({ state, groups }: FoldWindow): readonly RawBuilder<unknown>[] {
  return [
    sql`sessions_seen AS (
      INSERT INTO ${sql.table(state === 'live' ? 'sessions' : 'rebuilt_sessions')} AS s (
        tenant, session_id, actor, started_at, last_event_at, last_seen_at, event_count, ended_at, machine_name, user_domain)
      SELECT tenant, session_id, ${SESSION_OF_GROUPS} FROM ${groups} WHERE session_id IS NOT NULL GROUP BY tenant, session_id
      ON CONFLICT (tenant, session_id) DO UPDATE SET ${ADD_EXCLUDED})`,
  ];
}

/** The columns of a session after its key, from rows of the shared groups. */
const SESSION_OF_GROUPS = sql`
  max(actor), min(first_at), max(last_at), max(last_stored_at), sum(events)::bigint,
  CASE WHEN max(last_at) FILTER (WHERE event_type = ${sql.lit(SESSION_END)}) = max(last_at) THEN max(last_at) END,
  min(machine_name COLLATE "C"), min(user_domain COLLATE "C")`;

/**
 * A SessionEnd ends the session at its own time, unless an event of the session occurred later. Such a session has ended at
 * its last event, and events that arrive late leave it ended. Any other session is opened again by what arrives.
 */
const ADD_EXCLUDED = sql`
  actor = coalesce(s.actor, excluded.actor),
  started_at = least(s.started_at, excluded.started_at),
  last_event_at = greatest(s.last_event_at, excluded.last_event_at),
  last_seen_at = greatest(s.last_seen_at, excluded.last_seen_at),
  event_count = s.event_count + excluded.event_count,
  ended_at = CASE WHEN excluded.ended_at >= s.last_event_at THEN excluded.ended_at
                  WHEN s.ended_at = s.last_event_at AND s.last_event_at >= excluded.last_event_at THEN s.ended_at END,
  machine_name = coalesce(s.machine_name, excluded.machine_name),
  user_domain = coalesce(s.user_domain, excluded.user_domain)`;
