import { Type } from 'typebox';
import { oneOf, orNull, time, uuid } from '../../http/schemas.ts';
import { EXPORT_STATES } from './rows.ts';

/** The properties of a destination. */
export const placeProperties = {
  kind: oneOf(['s3', 'local']),
  prefix: Type.String(),
  bucket: Type.Optional(Type.String()),
  region: Type.Optional(Type.String()),
  endpoint: Type.Optional(Type.String()),
  path_style: Type.Optional(Type.Boolean()),
};
const place = Type.Object(placeProperties, { description: 'Without credentials.' });

/** An export run. */
export const exportRunSchema = Type.Object({
  id: uuid,
  tenant: orNull(Type.String()),
  trigger: oneOf(['schedule', 'request', 'archive', 'rebase']),
  state: oneOf(EXPORT_STATES),
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
    { description: 'The files of the manifest; none before the run has succeeded.' },
  ),
  manifest_key: orNull(Type.String()),
  manifest_location: orNull(
    Type.String({
      description:
        'Where the manifest lies: `s3://…` or, for operators of all tenants, a path on the server. Null before it is published.',
    }),
  ),
  attempts: Type.Integer(),
  next_attempt_at: orNull(time),
  error_code: orNull(Type.String()),
  error: orNull(Type.String()),
  requested_by: Type.String(),
  created_at: time,
  started_at: orNull(time),
  finished_at: orNull(time),
});
