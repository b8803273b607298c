import { randomUUID } from 'node:crypto';
import { type Kysely, sql } from 'kysely';
import { type DeadLetterFilter, matches } from '@sluice/store/dead-letter-filter';
import type { Operator } from '../keys/operator-keys.ts';
import { noteAction } from '../audit/audit.ts';

/** Which letters, how fast, by whom and why. */
export interface ReplayRequest {
  readonly filter: DeadLetterFilter;
  readonly ratePerSecond: number;
  readonly operator: Operator;
  readonly reason: string | undefined;
}

/**
 * Writes a replay down, inside the caller's transaction. Its upper id is frozen: what fails again becomes a new
 * dead letter with a higher id, and so is not replayed by the same replay.
 *
 * @returns its id
 */
export async function requestReplay(db: Kysely<unknown>, request: ReplayRequest): Promise<string> {
  const { filter, ratePerSecond, operator, reason } = request;
  const id = randomUUID();
  const { rows } = await sql<{ matched: string }>`
    INSERT INTO replays (id, state, filter, upper_id, rate_per_second, matched, tenant, requested_by, reason)
    SELECT ${id}::uuid, 'queued', ${JSON.stringify(filter)}::jsonb, coalesce(max(id), 0), ${ratePerSecond}, count(*),
           ${operator.tenant}, ${operator.name}, ${reason ?? null}
    FROM dead_letters WHERE ${matches(filter, operator.tenant)}
    RETURNING matched`.execute(db);
  await noteAction(db, operator, {
    action: 'replays.create',
    affected: Number(rows[0]!.matched),
    reason,
    details: { replay_id: id, rate_per_second: ratePerSecond, ...filter },
  });
  return id;
}
