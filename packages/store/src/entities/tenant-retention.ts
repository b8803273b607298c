import { defineEntity, p } from '@mikro-orm/core';

/** How long the events of one tenant are retained, where that is not EVENT_RETENTION_DAYS. */
export const TenantRetention = defineEntity({
  name: 'TenantRetention',
  tableName: 'tenant_retention',
  checks: [{ name: 'tenant_retention_days', expression: 'days >= 0' }],
  properties: {
    tenant: p.text().primary(),
    /** Counted from `stored_at`; 0 retains forever. */
    days: p.integer(),
    /** All events of the tenant that were stored before this are deleted. */
    expiredTo: p.datetime(3).nullable(),
    updatedAt: p.datetime(6).defaultRaw('now()'),
    updatedBy: p.text(),
  },
});
