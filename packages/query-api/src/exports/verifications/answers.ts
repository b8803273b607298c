import { Type } from 'typebox';
import { oneOf, orNull, time, uuid } from '../../http/schemas.ts';

/** A verification of an export. */
export const verificationSchema = Type.Object({
  id: uuid,
  run_id: uuid,
  state: oneOf(['queued', 'running', 'succeeded', 'failed', 'cancelled'], {
    description: '`succeeded` when all was read, whatever was found; `failed` when a destination could not be asked.',
  }),
  ok: orNull(Type.Boolean({ description: 'Null until it has ended.' })),
  problems: Type.Array(Type.String(), { description: 'What is not as the manifest says.' }),
  rows_done: Type.Integer(),
  rows_expected: orNull(Type.Integer()),
  error: orNull(Type.String()),
  requested_by: orNull(Type.String()),
  created_at: time,
  started_at: orNull(time),
  finished_at: orNull(time),
});
