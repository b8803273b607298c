import { type RawBuilder, sql } from 'kysely';
import type { FoldWindow } from '@sluice/store/projection';
import { SESSION_COLUMNS, SESSION_NAMES, sessionsOf } from './session-columns.ts';

/** Adds a window's events to the sessions. */
export function foldSessions({ state, groups }: FoldWindow): readonly RawBuilder<unknown>[] {
  const merged = Object.entries(SESSION_COLUMNS).map(([name, { merge }]) => sql`${sql.ref(name)} = ${merge}`);
  return [
    sql`sessions_seen AS (
      INSERT INTO ${sql.table(state === 'live' ? 'sessions' : 'rebuilt_sessions')} AS s (tenant, session_id, ${SESSION_NAMES})
      ${sessionsOf(groups)}
      ON CONFLICT (tenant, session_id) DO UPDATE SET ${sql.join(merged)})`,
  ];
}
