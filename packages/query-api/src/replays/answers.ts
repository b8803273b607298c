import { Type } from 'typebox';
import { oneOf, orNull, time, uuid } from '../http/schemas.ts';

/** A replay. */
export const replaySchema = Type.Object({
  id: uuid,
  state: oneOf(['queued', 'running', 'paused', 'succeeded', 'failed', 'cancelled']),
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
});

/** The result of a dry run. */
export const dryRunSchema = Type.Object({
  matched: Type.Integer(),
  tried: Type.Integer(),
  would_store: Type.Integer(),
  would_duplicate: Type.Integer(),
  would_skip: Type.Integer(),
  would_fail: Type.Array(Type.Object({ id: Type.String(), reason: Type.String(), message: Type.String() })),
});
