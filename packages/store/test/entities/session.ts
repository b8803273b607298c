import { defineEntity, p } from '@mikro-orm/core';

const properties = () => ({
  tenant: p.text().primary(),
  sessionId: p.text().primary(),
  actor: p.text().nullable(),
  /** Earliest and latest `occurred_at` of its events. */
  startedAt: p.datetime(6),
  lastEventAt: p.datetime(6),
  /** When its newest event was stored: idleness is measured by the server's clock. */
  lastSeenAt: p.datetime(6),
  eventCount: p.bigint(),
  /** The time of its SessionEnd; or when it was last seen, once it has been idle for SESSION_IDLE_HOURS. Null while it is open. */
  endedAt: p.datetime(6).nullable(),
  /** From the payloads of its events. */
  machineName: p.text().nullable(),
  userDomain: p.text().nullable(),
});

/** One client session. Each stored event is folded once, so redelivery never counts twice. */
export const Session = defineEntity({
  name: 'Session',
  tableName: 'sessions',
  indexes: [
    { name: 'sessions_started', properties: ['tenant', 'startedAt', 'sessionId'] },
    { name: 'sessions_actor', properties: ['tenant', 'actor', 'startedAt', 'sessionId'] },
    { name: 'sessions_open', properties: ['tenant', 'sessionId'], where: 'ended_at IS NULL' },
    { name: 'sessions_ended', properties: ['endedAt'], where: 'ended_at IS NOT NULL' },
  ],
  properties: properties(),
});

/** What a rebuild has counted so far. */
export const RebuiltSession = defineEntity({
  name: 'RebuiltSession',
  tableName: 'rebuilt_sessions',
  properties: properties(),
});
