import { defineEntity, p } from '@mikro-orm/core';

/** One client session; counters come from newly stored events only, so redelivery never counts twice. */
export const Session = defineEntity({
  name: 'Session',
  tableName: 'sessions',
  properties: {
    tenant: p.text().primary(),
    sessionId: p.text().primary(),
    actor: p.text().nullable(),
    /** Earliest and latest `occurred_at` of its events. */
    startedAt: p.datetime(6),
    lastEventAt: p.datetime(6),
    /** When its newest event was stored: idleness is measured by the server's clock. */
    lastSeenAt: p.datetime(6),
    eventCount: p.bigint(),
    endedAt: p.datetime(6).nullable(),
  },
});
