import { Type } from 'typebox';
import { consumerSchema } from '../daemons/answers.ts';
import { orNull, time } from '../http/schemas.ts';

const integerOrNull = orNull(Type.Integer());
const numberOrNull = orNull(Type.Number());

const conservation = Type.Object(
  {
    entries: Type.Object({
      added: Type.Integer({ description: 'Ever added to the streams.' }),
      settled: Type.Integer({ description: 'Ever acknowledged, after their COMMIT.' }),
      waiting: Type.Integer({ description: 'In the streams; a writer holds or will read them.' }),
      orphaned: Type.Integer({
        description:
          'In the streams, but held by no writer after their delivery. Writers take them back within a minute.',
      }),
      drift: Type.Integer({
        description:
          'added − settled − waiting − orphaned, since the first was settled. Above 0: entries left the streams without a COMMIT. Below 0: a stream was made again.',
      }),
    }),
    events: Type.Object({
      settled: Type.Integer({ description: 'In settled entries.' }),
      stored: Type.Integer(),
      duplicate: Type.Integer(),
      dead: Type.Integer(),
      drift: Type.Integer({ description: 'settled − stored − duplicate − dead. Not 0: a writer lost count.' }),
    }),
  },
  { description: 'Whether every entry and event that was ever added is accounted for.' },
);

/** The queue, shard by shard. */
export const queueSchema = Type.Object({
  shards: Type.Array(
    Type.Object({
      shard: Type.Integer(),
      length: Type.Integer(),
      bytes: Type.Integer(),
      pending: Type.Integer({ description: 'Read by a writer, not acknowledged yet.' }),
      lag: integerOrNull,
      oldest_age_seconds: numberOrNull,
      conservation,
      consumers: Type.Array(
        Type.Object({
          name: Type.String(),
          pending: Type.Integer(),
          idle_ms: Type.Integer(),
          inactive_ms: integerOrNull,
          last_progress_at: orNull(time),
        }),
      ),
    }),
  ),
  consumers: Type.Array(consumerSchema, {
    description: 'The writers: whether each can work, and why not. A key of one tenant sees none.',
  }),
  totals: Type.Object({ length: Type.Integer(), bytes: Type.Integer(), pending: Type.Integer() }),
  conservation,
  drain_rate_per_second: Type.Number({ description: 'Entries that left the streams, over the last 10 s.' }),
  seconds_to_empty: numberOrNull,
});
