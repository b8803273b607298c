import { randomUUID } from 'node:crypto';
import { type Kysely, sql } from 'kysely';
import type { Principal } from '@sluice/access/principal';
import { ApiError } from '@sluice/errors/api-errors';
import { type DeadLetterFilter, matches } from '@sluice/store/dead-letter-filter';
import { noteAction } from '../audit/commands.ts';
import { noSuchReplay } from './rows.ts';

/** Which dead letters are replayed, how fast, by whom and why. */
export interface ReplayRequest {
  readonly filter: DeadLetterFilter;
  readonly ratePerSecond: number;
  readonly operator: Principal;
  readonly reason: string | undefined;
}

/**
 * Requests a replay, inside the caller's transaction. Its upper id is frozen. An event that fails again becomes a new
 * dead letter with a higher id, so the same replay does not take it twice.
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

/** The steps of a replay: the states from which each is allowed, and the state to which it leads. */
const STEPS = {
  pause: { from: ['queued', 'running'], to: 'paused' },
  resume: { from: ['paused'], to: 'queued' },
  cancel: { from: ['queued', 'running', 'paused'], to: 'cancelled' },
} as const;

export type ReplayStep = keyof typeof STEPS;

export const REPLAY_STEPS = Object.keys(STEPS) as ReplayStep[];

/**
 * Pauses, resumes or cancels a replay, inside the caller's transaction. The maintenance worker reads the state before
 * each step, so the change takes effect within a second.
 *
 * @throws ApiError `not_found`, or `conflict` in a state that does not allow it
 */
export async function steerReplay(
  db: Kysely<unknown>,
  id: string,
  step: ReplayStep,
  operator: Principal,
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
