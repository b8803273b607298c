import { type Kysely, sql } from 'kysely';
import type { DecodedEntry } from './decode-entry.ts';

/**
 * Notes the result of a replay on the dead letters that these entries replay, in the transaction that decides it: `failed`
 * when the event became a dead letter again, `stored` when its id is new, else `duplicate`. A redelivery changes nothing.
 *
 * @param segment the hot one, into which this transaction stored
 */
export async function settleReplays(
  db: Kysely<unknown>,
  entries: readonly DecodedEntry[],
  segment: number,
): Promise<void> {
  const ids = entries.flatMap((entry) => (entry.replayOf === null ? [] : [entry.replayOf]));
  if (ids.length === 0) return;
  await sql`
    WITH locked AS (
      SELECT id FROM dead_letters WHERE id = ANY(${ids}::bigint[]) AND state = 'replaying' ORDER BY id FOR UPDATE
    )
    UPDATE dead_letters d SET
      state = 'replayed',
      settled_at = now(),
      replay_result = CASE
        WHEN EXISTS (SELECT 1 FROM dead_letters again WHERE again.replay_of = d.id) THEN 'failed'
        WHEN EXISTS (SELECT 1 FROM events e
                     WHERE e.segment = ${segment}::integer AND e.tenant = d.tenant AND e.event_id = d.event_id
                       AND e.stored_at = now()) THEN 'stored'
        ELSE 'duplicate' END
    FROM locked WHERE d.id = locked.id`.execute(db);
}
