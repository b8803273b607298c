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
  input: Type.Unknown({ description: 'What it was told.' }),
  rows: Type.Integer({ description: "So far; what a row is, the job's description says." }),
  rows_expected: orNull(Type.Integer({ description: 'Of how many, where the job knows.' })),
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
  concurrency: Type.Integer({ description: 'Runs that may be running at once.' }),
  input: Type.Unknown({ description: 'JSON schema of what a run may be told.' }),
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
  last_skipped_at: orNull(Type.String({ format: 'date-time', description: 'When it came due while it still ran.' })),
  stale: Type.Boolean({ description: 'No success for three of its ticks.' }),
});
