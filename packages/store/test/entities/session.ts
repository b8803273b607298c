import { defineEntity, p } from '@mikro-orm/core';

/** One client session; counters come from newly stored events only, so redelivery never counts twice. */
export const Session = defineEntity({
  name: 'Session',
  tableName: 'sessions',
  indexes: [
    { name: 'sessions_started', properties: ['tenant', 'startedAt', 'sessionId'] },
    { name: 'sessions_actor', properties: ['tenant', 'actor', 'startedAt', 'sessionId'] },
    { name: 'sessions_open', properties: ['tenant', 'sessionId'], where: 'ended_at IS NULL' },
    { name: 'sessions_ended', properties: ['endedAt'], where: 'ended_at IS NOT NULL' },
  ],
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
    /** When it was last seen, once it has been idle for SESSION_IDLE_HOURS; null while it is open. */
    endedAt: p.datetime(6).nullable(),
  },
});
