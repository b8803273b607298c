import { type TSchema, Type } from 'typebox';

/** For OpenAPI only: answers are written as they are. */
const orNull = (schema: TSchema) => Type.Union([schema, Type.Null()]);
const time = Type.String({ format: 'date-time' });

const letterProperties = {
  id: Type.String(),
  tenant: orNull(Type.String()),
  event_id: orNull(Type.String({ format: 'uuid' })),
  event_type: orNull(Type.String()),
  source: orNull(Type.String()),
  reason: Type.String(),
  sqlstate: orNull(Type.String()),
  message: Type.String(),
  state: Type.Unsafe<string>({ type: 'string', enum: ['dead', 'replaying', 'replayed', 'discarded'] }),
  attempts: Type.Integer(),
  trace_id: orNull(Type.String()),
  first_failed_at: time,
  last_failed_at: time,
  replay_id: orNull(Type.String({ format: 'uuid' })),
  replay_of: orNull(Type.String()),
  replay_result: orNull(Type.Unsafe<string>({ type: 'string', enum: ['stored', 'duplicate', 'failed'] })),
};

/** A dead letter in a list. */
export const letterSchema = Type.Object(letterProperties);

/** A dead letter whole. */
export const wholeLetterSchema = Type.Object({
  ...letterProperties,
  detail: orNull(Type.String()),
  payload: Type.Unknown({ description: "The client's event; null for an entry that could not be read." }),
  raw: orNull(Type.String({ description: 'The bytes as base64, when there is no payload.' })),
  original_payload: Type.Unknown({ description: 'What the payload was before somebody changed it.' }),
  origin: Type.Unknown({ description: 'Batch, index, receive time and client of the request that brought it.' }),
  stream: Type.String(),
  entry_id: Type.String(),
  entry_index: Type.Integer(),
  history: Type.Array(Type.Unknown(), { description: 'Each failure after the first.' }),
  replays: Type.Array(Type.Unknown(), { description: 'Dead letters that its replay ended as.' }),
  settled_at: orNull(time),
  trace_url: orNull(Type.String()),
  version: Type.String({
    description: 'Changes with every change; give it back with a PATCH to notice that of others.',
  }),
});

/** A replay. */
export const replaySchema = Type.Object({
  id: Type.String({ format: 'uuid' }),
  state: Type.Unsafe<string>({
    type: 'string',
    enum: ['queued', 'running', 'paused', 'succeeded', 'failed', 'cancelled'],
  }),
  matched: Type.Integer(),
  replayed: Type.Integer({ description: 'Stored, or stored already.' }),
  stored: Type.Integer(),
  duplicates: Type.Integer(),
  failed: Type.Integer({ description: 'Failed again; each is a new dead letter with `replay_of`.' }),
  skipped: Type.Integer({ description: 'Nothing to replay in it, or no longer dead when its turn came.' }),
  pending: Type.Integer(),
  rate: Type.Number({ description: 'Letters settled per second: lately while it runs, on average afterwards.' }),
  rate_per_second: Type.Integer({ description: 'Its limit.' }),
  filter: Type.Unknown(),
  requested_by: Type.String(),
  reason: orNull(Type.String()),
  error: orNull(Type.String()),
  created_at: time,
  started_at: orNull(time),
  finished_at: orNull(time),
});
