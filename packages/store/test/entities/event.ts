import { defineEntity, p } from '@mikro-orm/core';

/**
 * One stored event. Partitioned by `stored_at`, the server's clock: the partition written to is always the
 * current one, no client can make or miss a partition, and retention drops whole partitions.
 */
export const Event = defineEntity({
  name: 'Event',
  tableName: 'events',
  indexes: [
    { name: 'events_occurred_at', properties: ['tenant', 'occurredAt'] },
    { name: 'events_type', properties: ['tenant', 'eventType', 'occurredAt'] },
    { name: 'events_actor', properties: ['tenant', 'actor', 'occurredAt'] },
    { name: 'events_session', properties: ['tenant', 'sessionId', 'occurredAt'] },
    { name: 'events_resource', properties: ['tenant', 'resource', 'occurredAt'] },
    { name: 'events_correlation', properties: ['tenant', 'correlationId', 'occurredAt'] },
    { name: 'events_stored_at', properties: ['storedAt'], type: 'brin' },
  ],
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
  },
});
