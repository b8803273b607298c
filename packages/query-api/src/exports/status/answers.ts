import { Type } from 'typebox';
import { oneOf, orNull, time, uuid } from '../../http/schemas.ts';

/** The state of a tenant's exports. */
export const exportStatusSchema = Type.Object({
  tenant: Type.String(),
  source: oneOf(['tenant', 'environment']),
  enabled: Type.Boolean(),
  schedule: Type.Unknown(),
  next_run_at: orNull(time),
  paused: orNull(Type.Object({ code: Type.String(), reason: Type.String(), since: time })),
  position: orNull(Type.Object({ fenced_at: time })),
  lag_seconds: orNull(
    Type.Number({
      description:
        'Age of the moment up to which everything stored has been exported by schedule; 0 while no event waits.',
    }),
  ),
  last_run: orNull(
    Type.Object({
      id: uuid,
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
    runs: Type.Record(Type.String(), Type.Integer(), { description: 'Runs by state.' }),
    rows: Type.Integer(),
    bytes: Type.Integer(),
  }),
});
