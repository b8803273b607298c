import { Type } from 'typebox';
import { oneOf, orNull, time, uuid } from '../http/schemas.ts';

const state = oneOf(['queued', 'running', 'succeeded', 'failed', 'cancelled']);
const trigger = oneOf(['schedule', 'request']);

/** A run of a job. */
export const runSchema = Type.Object({
  id: uuid,
  job: Type.String(),
  state,
  trigger,
  requested_by: orNull(Type.String()),
  input: Type.Unknown({ description: 'The input of the run.' }),
  rows: Type.Integer({ description: 'Rows so far. The description of the job says what a row is.' }),
  rows_expected: orNull(Type.Integer({ description: 'The total, where the job knows it.' })),
  duration_ms: orNull(Type.Integer({ description: 'Until its end, or until now.' })),
  details: Type.Unknown(),
  error: orNull(Type.String()),
  worker: orNull(Type.String()),
  created_at: time,
  started_at: orNull(time),
  finished_at: orNull(time),
});

/** A job. */
export const jobSchema = Type.Object({
  name: Type.String(),
  description: Type.String(),
  schedule: orNull(
    Type.Union([
      Type.Object({ every_ms: Type.Integer() }),
      Type.Object({ cron: Type.String({ description: 'UTC.' }) }),
    ]),
  ),
  timeout_ms: Type.Integer(),
  concurrency: Type.Integer({ description: 'Runs that may run at the same time.' }),
  input: Type.Unknown({ description: 'JSON schema of the input of a run.' }),
  next_run_at: orNull(time),
  last_run: orNull(
    Type.Object({
      id: uuid,
      state,
      trigger,
      rows: Type.Integer(),
      error: orNull(Type.String()),
      created_at: time,
      started_at: orNull(time),
      finished_at: orNull(time),
    }),
  ),
  last_succeeded_at: orNull(time),
  last_skipped_at: orNull(
    Type.String({ format: 'date-time', description: 'When it last came due while it was still running.' }),
  ),
  stale: Type.Boolean({ description: 'No success for three of its ticks.' }),
});
