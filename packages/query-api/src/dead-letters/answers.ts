import { Type } from 'typebox';
import { oneOf, orNull, time, uuid } from '../http/schemas.ts';

const letterProperties = {
  id: Type.String(),
  tenant: orNull(Type.String()),
  event_id: orNull(uuid),
  event_type: orNull(Type.String()),
  source: orNull(Type.String()),
  reason: Type.String(),
  sqlstate: orNull(Type.String()),
  message: Type.String(),
  state: oneOf(['dead', 'replaying', 'replayed', 'discarded']),
  attempts: Type.Integer(),
  trace_id: orNull(Type.String()),
  first_failed_at: time,
  last_failed_at: time,
  replay_id: orNull(uuid),
  replay_of: orNull(Type.String()),
  replay_result: orNull(oneOf(['stored', 'duplicate', 'failed'])),
};

/** A dead letter in a list. */
export const letterSchema = Type.Object(letterProperties);

/** A dead letter with everything that is stored about it. */
export const wholeLetterSchema = Type.Object({
  ...letterProperties,
  detail: orNull(Type.String()),
  payload: Type.Unknown({ description: "The client's event; null for an unreadable entry." }),
  raw: orNull(Type.String({ description: 'The bytes as base64, when there is no payload; the first 768 KiB.' })),
  raw_bytes: orNull(Type.Integer({ description: 'The number of all bytes, when there is no payload.' })),
  original_payload: Type.Unknown({
    description:
      'The payload that the client sent, when an operator has changed it, also before an earlier replay; else null.',
  }),
  origin: Type.Unknown({ description: 'Batch, index, receive time and client of the request that sent it.' }),
  stream: Type.String(),
  entry_id: Type.String(),
  entry_index: Type.Integer(),
  history: Type.Array(Type.Unknown(), { description: 'Each failure after the first.' }),
  replays: Type.Array(Type.Unknown(), { description: 'Dead letters that its replay made.' }),
  replay_chain: Type.Array(
    Type.Object({
      id: Type.String(),
      state: Type.String(),
      reason: Type.String(),
      message: Type.String(),
      first_failed_at: time,
      payload_changed: Type.Boolean(),
    }),
    { description: 'Dead letters of the same event before this one, the first one first; see `replay_of`.' },
  ),
  settled_at: orNull(time),
  trace_url: orNull(Type.String()),
  version: Type.String({
    description:
      'Changes with every edit. Send it with a PATCH, which then fails if somebody else has edited meanwhile.',
  }),
});

/** Dead letters that a request named and that it does not change, because they are not dead any more. */
export const nothingToDo = Type.Array(
  Type.Object({
    id: Type.String(),
    state: oneOf(['replaying', 'replayed', 'discarded']),
    since: orNull(time),
    by: orNull(Type.String({ description: 'Who replayed or discarded it, where that is known.' })),
  }),
  { description: 'Of `ids`: those that are not dead any more; at most 1,000 of them.' },
);

/** The number of dead letters of one kind in one hour. */
export const letterGroupSchema = Type.Object({
  reason: Type.String(),
  event_type: orNull(Type.String()),
  hour: time,
  count: Type.Integer(),
  first_failed_at: time,
  last_failed_at: time,
});
