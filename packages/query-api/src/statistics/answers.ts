import { Type } from 'typebox';
import { oneOf, time } from '../http/schemas.ts';

const countProperties = {
  total_events: Type.Integer(),
  events_by_type: Type.Record(Type.String(), Type.Integer()),
  unique_users: Type.Integer(),
  unique_sessions: Type.Integer(),
  unique_resources: Type.Integer({ description: 'Workbooks; for web collection, paths.' }),
  unique_workbooks: Type.Integer({ description: 'The same as `unique_resources`, under its name in 0.1.0.' }),
};

/** The counts of a range, and of its buckets. */
export const statisticsSchema = Type.Object({
  period_start: time,
  period_end: time,
  ...countProperties,
  distinct: oneOf(['exact', 'approximate']),
  distinct_error: Type.Number({ description: 'Standard error of unique_*, as a fraction; 0 when exact.' }),
  interval: Type.Optional(Type.String()),
  series: Type.Optional(Type.Array(Type.Object({ start: time, ...countProperties }))),
});
