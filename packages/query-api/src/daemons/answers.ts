import { Type } from 'typebox';
import { oneOf, time } from '../http/schemas.ts';

const status = oneOf(['healthy', 'degraded', 'unhealthy'] as const, {
  description: 'As `/health` of the daemon says; `degraded` when something that it can do without does not work.',
});

/** Why a writer stores nothing more until an operator acts. */
const stallSchema = Type.Object(
  {
    since: time,
    code: Type.String({ description: 'SQLSTATE, or another code of the failure.' }),
    message: Type.String(),
    entries: Type.Integer({ description: 'Entries of the batch that cannot be stored.' }),
  },
  { description: 'Only while an operator has to act before anything more is stored.' },
);

/** What a daemon publishes of itself. */
export const daemonSchema = Type.Object({
  daemon: Type.String(),
  instance: Type.String({ description: 'Unique over all running daemons.' }),
  host: Type.String(),
  pid: Type.Integer(),
  version: Type.String(),
  started_at: time,
  reported_at: time,
  status,
  ready: Type.Boolean({ description: 'What `/ready` of the daemon answers.' }),
  checks: Type.Record(
    Type.String(),
    Type.Object({
      status: oneOf(['ok', 'failed'] as const),
      message: Type.Optional(Type.String({ description: 'Why it failed, and what to do.' })),
      since: Type.String({ format: 'date-time', description: 'Since when it has this status.' }),
    }),
    { description: 'By name, as in `/health`.' },
  ),
  stalled: Type.Optional(stallSchema),
});

/** A writer, over all shards. */
export const consumerSchema = Type.Object({
  name: Type.String({ description: 'WRITER_NAME.' }),
  status: oneOf(['healthy', 'degraded', 'unhealthy', 'gone'] as const, {
    description: '`gone`: it has reported nothing for 15 s.',
  }),
  pending: Type.Integer({ description: 'Entries that it has taken and not acknowledged, over all shards.' }),
  failed: Type.Array(Type.Object({ check: Type.String(), message: Type.Optional(Type.String()), since: time }), {
    description: 'Checks of its `/health` that fail, with the reason.',
  }),
  stalled: Type.Optional(stallSchema),
});
