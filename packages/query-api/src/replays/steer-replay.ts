import { type Kysely, sql } from 'kysely';
import { ApiError } from '@sluice/errors/api-errors';
import type { Operator } from '../keys/operator-keys.ts';
import { noteAction } from '../audit/audit.ts';
import { noSuchReplay } from './replay-rows.ts';

/** What may be done to a replay: from which states, to which. */
const STEPS = {
  pause: { from: ['queued', 'running'], to: 'paused' },
  resume: { from: ['paused'], to: 'queued' },
  cancel: { from: ['queued', 'running', 'paused'], to: 'cancelled' },
} as const;

export type ReplayStep = keyof typeof STEPS;

export const REPLAY_STEPS = Object.keys(STEPS) as ReplayStep[];

/**
 * Pauses, resumes or cancels a replay, inside the caller's transaction. The maintenance worker looks at the
 * state before each step, so it takes effect within a second.
 *
 * @throws ApiError `not_found`, or `conflict` in a state that does not allow it
 */
export async function steerReplay(
  db: Kysely<unknown>,
  id: string,
  step: ReplayStep,
  operator: Operator,
): Promise<void> {
  const { from, to } = STEPS[step];
  const { rows } = await sql<{ state: string }>`
    SELECT state FROM replays
    WHERE id = ${id}::uuid AND (${operator.tenant}::text IS NULL OR tenant = ${operator.tenant}) FOR UPDATE`.execute(
    db,
  );
  const state = rows[0]?.state;
  if (state === undefined) throw noSuchReplay(id);
  if (!(from as readonly string[]).includes(state)) {
    throw new ApiError('conflict', `Replay ${id} is ${state}; ${step} needs one that is ${from.join(' or ')}.`);
  }
  await sql`
    UPDATE replays SET state = ${to}, finished_at = CASE WHEN ${to} = 'cancelled' THEN now() END WHERE id = ${id}::uuid`.execute(
    db,
  );
  const affected = await sql<{ count: string }>`
    SELECT count(*) FROM dead_letters WHERE replay_id = ${id}::uuid AND state = 'replaying'`.execute(db);
  await noteAction(db, operator, {
    action: `replays.${step}`,
    affected: Number(affected.rows[0]?.count ?? 0),
    details: { replay_id: id, from: state },
  });
}
