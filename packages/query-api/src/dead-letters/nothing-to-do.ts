import { type Kysely, sql } from 'kysely';
import type { Principal } from '@sluice/access/principal';
import { type DeadLetterFilter, matches } from '@sluice/store/dead-letter-filter';
import { isoTime } from '@sluice/store/iso-time';

/** A dead letter that was named and is not dead any more. */
export interface NothingToDo {
  readonly id: string;
  readonly state: 'replaying' | 'replayed' | 'discarded';
  /** Since when, ISO 8601 UTC. */
  readonly since: string | null;
  /** The operator who did it; null when that is not known. */
  readonly by: string | null;
}

/** Most of them in an answer. */
const MAX_LISTED = 1_000;

/**
 * Reads which of the named dead letters are not dead any more: an action on them does nothing, and has to say so. For a
 * choice by filter there are none, because it selects what is dead.
 */
export async function findNothingToDo(
  db: Kysely<unknown>,
  { ids }: DeadLetterFilter,
  { tenant }: Principal,
): Promise<readonly NothingToDo[]> {
  if (ids === undefined) return [];
  // A discard is noted once for all that it took, with their ids or with its filter; see `discardLetters`.
  const { rows } = await sql<NothingToDo>`
    SELECT d.id, d.state, ${isoTime(sql`coalesce(d.settled_at, r.started_at, r.created_at)`)} AS since,
           CASE WHEN d.state = 'discarded' THEN (
             SELECT actor FROM audit_log a
             WHERE action = 'dead_letters.discard' AND a.at <= d.settled_at AND (a.tenant IS NULL OR a.tenant = d.tenant)
               AND (details->'ids' IS NULL OR details->'ids' ? d.id::text)
               AND coalesce(details->>'reason', d.reason) = d.reason
               AND coalesce(details->>'event_type', d.event_type) IS NOT DISTINCT FROM d.event_type
             ORDER BY a.id DESC LIMIT 1)
           ELSE r.requested_by END AS by
    FROM (SELECT id, state, tenant, reason, event_type, settled_at, replay_id FROM dead_letters
          WHERE ${matches({ ids, state: 'all' }, tenant)} AND state <> 'dead' ORDER BY id LIMIT ${MAX_LISTED}) d
    LEFT JOIN replays r ON r.id = d.replay_id ORDER BY d.id`.execute(db);
  return rows;
}
