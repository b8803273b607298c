import { defineEntity, p } from '@mikro-orm/core';

/**
 * One stored event. Partitioned by `segment`: the segment written to is always the hot one, no client can make or miss one,
 * and retention drops whole segments. Each segment has its own indexes, `events` has none.
 */
export const Event = defineEntity({
  name: 'Event',
  tableName: 'events',
  properties: {
    storedAt: p.datetime(6).primary().defaultRaw('now()'),
    tenant: p.text().primary(),
    eventId: p.uuid().primary(),
    eventType: p.text(),
    occurredAt: p.datetime(6),
    receivedAt: p.datetime(3),
    actor: p.text().nullable(),
    sessionId: p.text().nullable(),
    correlationId: p.text().nullable(),
    resource: p.text().nullable(),
    clientIp: p.type('inet').columnType('inet').$type<string>().nullable(),
    traceId: p.text().nullable(),
    source: p.text(),
    flags: p.type('text[]').columnType('text[]').$type<string[]>().nullable(),
    payload: p.json(),
    /** The transaction that stored it: the export fence compares it with the oldest one still running. */
    tx: p.type('xid8').columnType('xid8').$type<string>().defaultRaw('pg_current_xact_id()'),
    segment: p.integer().defaultRaw('sluice_hot_segment()'),
  },
});
