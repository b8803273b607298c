import { Type } from 'typebox';
import { oneOf, orNull, time } from '../http/schemas.ts';

/** A session. */
export const sessionProperties = {
  session_id: Type.String(),
  user_name: orNull(Type.String()),
  state: oneOf(['open', 'closed']),
  started_at: time,
  last_event_at: time,
  last_seen_at: time,
  ended_at: orNull(time),
  event_count: Type.Integer(),
  machine_name: orNull(Type.String({ description: '`machineName` of its events.' })),
  user_domain: orNull(Type.String({ description: '`userDomain` of its events.' })),
};
