import { Type } from 'typebox';
import { oneOf, orNull, time } from '../../http/schemas.ts';
import { placeProperties } from '../runs/answers.ts';

const shownPlace = Type.Object({
  ...placeProperties,
  credentials: Type.Optional(
    Type.Object({
      set: Type.Boolean({ description: 'False when the AWS SDK finds credentials itself.' }),
      access_key_id: Type.Optional(Type.String({ description: 'Its first and last characters.' })),
      problem: Type.Optional(Type.String({ description: 'Why the stored credentials cannot be opened.' })),
    }),
  ),
});
const outcome = Type.Object({
  ok: Type.Boolean(),
  label: Type.Optional(Type.String()),
  code: Type.Optional(Type.String({ description: 'Code of the problem; see docs/reference/errors.md.' })),
  message: Type.Optional(Type.String()),
});

/** A tenant's configuration. It describes credentials and never shows them. */
export const exportConfigSchema = Type.Object({
  tenant: Type.String(),
  source: oneOf(['tenant', 'environment']),
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

/** The result of testing a configuration. */
export const exportTestSchema = Type.Object({
  ok: Type.Boolean(),
  code: Type.Optional(Type.String({ description: 'Code of the first destination that failed.' })),
  message: Type.Optional(Type.String()),
  destination: outcome,
  backup: orNull(outcome),
});
