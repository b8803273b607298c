import { defineEntity, p } from '@mikro-orm/core';

/** A table of events and how far it is: next, hot, closed, sealed, expiring. */
export const Segment = defineEntity({
  name: 'Segment',
  tableName: 'segments',
  checks: [
    {
      name: 'segments_state',
      expression: "state = ANY (ARRAY['next'::text, 'hot'::text, 'closed'::text, 'sealed'::text, 'expiring'::text])",
    },
  ],
  indexes: [
    {
      name: 'segments_hot',
      expression: "CREATE UNIQUE INDEX segments_hot ON public.segments USING btree (state) WHERE (state = 'hot'::text)",
    },
  ],
  properties: {
    relation: p.text().primary(),
    segmentFrom: p.integer(),
    segmentTo: p.integer(),
    state: p.text(),
    rows: p.bigint().nullable(),
    storedFrom: p.datetime(6).nullable(),
    storedTo: p.datetime(6).nullable(),
    occurredFrom: p.datetime(6).nullable(),
    occurredTo: p.datetime(6).nullable(),
    txTo: p.type('xid8').columnType('xid8').$type<string>().nullable(),
    madeAt: p.datetime(6).defaultRaw('clock_timestamp()'),
    hotAt: p.datetime(6).nullable(),
    closedAt: p.datetime(6).nullable(),
    sealedAt: p.datetime(6).nullable(),
    /** When the last attempt to seal it began. */
    sealingAt: p.datetime(6).nullable(),
  },
});
