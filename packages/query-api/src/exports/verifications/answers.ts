import { Type } from 'typebox';
import { oneOf, orNull, time, uuid } from '../../http/schemas.ts';

/** A verification of an export. */
export const verificationSchema = Type.Object({
  id: uuid,
  run_id: uuid,
  state: oneOf(['queued', 'running', 'succeeded', 'failed', 'cancelled'], {
    description:
      '`succeeded` when everything was read, even with problems; `failed` when a destination could not be read.',
  }),
  ok: orNull(Type.Boolean({ description: 'Null until it has ended.' })),
  problems: Type.Array(Type.String(), { description: 'Differences from the manifest.' }),
  rows_done: Type.Integer(),
  rows_expected: orNull(Type.Integer()),
  error: orNull(Type.String()),
  requested_by: orNull(Type.String()),
  created_at: time,
  started_at: orNull(time),
  finished_at: orNull(time),
});
