import { Type } from 'typebox';
import { nothingToDo } from '../dead-letters/answers.ts';
import { oneOf, orNull, time, uuid } from '../http/schemas.ts';
import { REPLAY_OUTCOMES } from './rows.ts';

const replayProperties = {
  id: uuid,
  state: oneOf(['queued', 'running', 'paused', 'succeeded', 'failed', 'cancelled'], {
    description: '`succeeded`: it has come to its end; what became of the events says `outcome`.',
  }),
  outcome: orNull(
    oneOf(REPLAY_OUTCOMES, {
      description: 'After its end. `all_stored`: none failed again; `none_stored`: none is stored; else `some_failed`.',
    }),
  ),
  matched: Type.Integer(),
  replayed: Type.Integer({ description: 'Stored, or stored already.' }),
  stored: Type.Integer(),
  duplicates: Type.Integer(),
  failed: Type.Integer({ description: 'Failed again. Each made a new dead letter with `replay_of`.' }),
  skipped: Type.Integer({ description: 'Without an event to replay, or no longer dead when their turn came.' }),
  pending: Type.Integer(),
  rate: Type.Number({
    description: 'Dead letters replayed per second: of the last seconds while it runs, on average afterwards.',
  }),
  rate_per_second: Type.Integer({ description: 'The limit of the rate.' }),
  filter: Type.Unknown(),
  requested_by: Type.String(),
  reason: orNull(Type.String()),
  error: orNull(Type.String()),
  created_at: time,
  started_at: orNull(time),
  finished_at: orNull(time),
};

/** A replay. */
export const replaySchema = Type.Object(replayProperties);

/** A replay that was requested. */
export const requestedReplaySchema = Type.Object({ ...replayProperties, nothing_to_do: nothingToDo });

/** The result of a dry run. */
export const dryRunSchema = Type.Object({
  matched: Type.Integer(),
  tried: Type.Integer(),
  would_store: Type.Integer(),
  would_duplicate: Type.Integer(),
  would_skip: Type.Integer(),
  nothing_to_do: nothingToDo,
  would_fail: Type.Array(Type.Object({ id: Type.String(), reason: Type.String(), message: Type.String() })),
});
