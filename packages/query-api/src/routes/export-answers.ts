import { type TSchema, Type } from 'typebox';
import { EXPORT_STATES } from '../queries/export-run-rows.ts';

/** For OpenAPI only: answers are written as they are. */
const orNull = (schema: TSchema) => Type.Union([schema, Type.Null()]);
const time = Type.String({ format: 'date-time' });
const placeProperties = {
  kind: Type.Unsafe<string>({ type: 'string', enum: ['s3', 'local'] }),
  prefix: Type.String(),
  bucket: Type.Optional(Type.String()),
  region: Type.Optional(Type.String()),
  endpoint: Type.Optional(Type.String()),
  path_style: Type.Optional(Type.Boolean()),
};
const place = Type.Object(placeProperties, { description: 'Without credentials.' });
const shownPlace = Type.Object({
  ...placeProperties,
  credentials: Type.Optional(
    Type.Object({
      set: Type.Boolean({ description: "False when the AWS SDK's own chain is asked." }),
      access_key_id: Type.Optional(Type.String({ description: 'Its start and end.' })),
      problem: Type.Optional(Type.String({ description: 'Why those that are kept cannot be opened.' })),
    }),
  ),
});
const outcome = Type.Object({
  ok: Type.Boolean(),
  label: Type.Optional(Type.String()),
  code: Type.Optional(Type.String({ description: 'What is wrong; see docs/reference/errors.md.' })),
  message: Type.Optional(Type.String()),
});

/** An export run. */
export const exportRunSchema = Type.Object({
  id: Type.String({ format: 'uuid' }),
  tenant: orNull(Type.String()),
  trigger: Type.Unsafe<string>({ type: 'string', enum: ['schedule', 'request', 'archive', 'rebase'] }),
  state: Type.Unsafe<string>({ type: 'string', enum: [...EXPORT_STATES] }),
  format: Type.String(),
  compression: Type.String(),
  destination: place,
  backup: orNull(place),
  since: orNull(time),
  until: orNull(time),
  partition: orNull(Type.String()),
  rows_done: Type.Integer(),
  rows_expected: orNull(Type.Integer()),
  bytes_done: Type.Integer(),
  files: Type.Array(
    Type.Object({ key: Type.String(), rows: Type.Integer(), bytes: Type.Integer(), sha256: Type.String() }),
    { description: 'Those of the manifest; none before the run has succeeded.' },
  ),
  manifest_key: orNull(Type.String()),
  attempts: Type.Integer(),
  next_attempt_at: orNull(time),
  error_code: orNull(Type.String()),
  error: orNull(Type.String()),
  requested_by: Type.String(),
  created_at: time,
  started_at: orNull(time),
  finished_at: orNull(time),
});

/** How a tenant's exports stand. */
export const exportStatusSchema = Type.Object({
  tenant: Type.String(),
  source: Type.Unsafe<string>({ type: 'string', enum: ['tenant', 'environment'] }),
  enabled: Type.Boolean(),
  schedule: Type.Unknown(),
  next_run_at: orNull(time),
  paused: orNull(Type.Object({ code: Type.String(), reason: Type.String(), since: time })),
  position: orNull(Type.Object({ fenced_at: time })),
  lag_seconds: orNull(
    Type.Number({ description: 'Age of the moment up to which everything stored has been exported by schedule.' }),
  ),
  last_run: orNull(
    Type.Object({
      id: Type.String({ format: 'uuid' }),
      state: Type.String(),
      trigger: Type.String(),
      created_at: time,
      finished_at: orNull(time),
      rows_done: Type.Integer(),
      error_code: orNull(Type.String()),
      error: orNull(Type.String()),
    }),
  ),
  last_error: orNull(
    Type.Object({ run_id: Type.String(), code: orNull(Type.String()), message: Type.String(), at: time }),
  ),
  totals: Type.Object({
    runs: Type.Record(Type.String(), Type.Integer(), { description: 'By state.' }),
    rows: Type.Integer(),
    bytes: Type.Integer(),
  }),
});

/** A tenant's configuration; credentials are told of, not told. */
export const exportConfigSchema = Type.Object({
  tenant: Type.String(),
  source: Type.Unsafe<string>({ type: 'string', enum: ['tenant', 'environment'] }),
  enabled: Type.Boolean(),
  schedule: Type.Unknown(),
  format: Type.String(),
  compression: Type.String(),
  destination: shownPlace,
  backup: orNull(shownPlace),
  paused: orNull(Type.Object({ code: Type.String(), reason: Type.String(), since: time })),
  next_run_at: orNull(time),
  updated_at: orNull(time),
  updated_by: orNull(Type.String()),
});

/** What trying a destination found. */
export const exportTestSchema = Type.Object({
  ok: Type.Boolean(),
  code: Type.Optional(Type.String({ description: 'Of the first that failed.' })),
  message: Type.Optional(Type.String()),
  destination: outcome,
  backup: orNull(outcome),
});

/** A verification of an export. */
export const verificationSchema = Type.Object({
  id: Type.String({ format: 'uuid' }),
  run_id: Type.String({ format: 'uuid' }),
  state: Type.Unsafe<'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled'>({
    type: 'string',
    enum: ['queued', 'running', 'succeeded', 'failed', 'cancelled'],
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
