import { Type } from 'typebox';

const time = Type.String({ format: 'date-time' });

/** A session. */
export const sessionProperties = {
  session_id: Type.String(),
  user_name: Type.Union([Type.String(), Type.Null()]),
  state: Type.Unsafe<string>({ type: 'string', enum: ['open', 'closed'] }),
  started_at: time,
  last_event_at: time,
  last_seen_at: time,
  ended_at: Type.Union([time, Type.Null()]),
  event_count: Type.Integer(),
};
