import { defineEntity, p } from '@mikro-orm/core';

/** What an operator did: who, what, to how many, and why. */
export const AuditEntry = defineEntity({
  name: 'AuditEntry',
  tableName: 'audit_log',
  properties: {
    id: p.bigint().primary().generated('identity'),
    at: p.datetime(6).defaultRaw('now()'),
    actor: p.text(),
    tenant: p.text().nullable(),
    action: p.text(),
    affected: p.bigint(),
    reason: p.text().nullable(),
    details: p.json().defaultRaw("'{}'"),
  },
});
