import { defineEntity, p } from '@mikro-orm/core';

/**
 * The id ledger: makes an event id unique per tenant. A unique key on the partitioned table would have to
 * include `stored_at`, and so could not catch a resend.
 */
export const EventId = defineEntity({
  name: 'EventId',
  tableName: 'event_ids',
  properties: {
    tenant: p.text().primary(),
    eventId: p.uuid().primary(),
    storedAt: p.datetime(6).nullable(),
  },
});
