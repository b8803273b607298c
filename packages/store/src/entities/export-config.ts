import { defineEntity, p } from '@mikro-orm/core';

/** What a tenant wants exported, when and where to. */
export const ExportConfig = defineEntity({
  name: 'ExportConfig',
  tableName: 'export_configs',
  properties: {
    tenant: p.text().primary(),
    enabled: p.boolean().default(true),
    schedule: p.json(),
    format: p.text(),
    compression: p.text(),
    destination: p.json(),
    backup: p.json().nullable(),
    /** Credentials, sealed with the key `keyId`. */
    secrets: p.blob().nullable(),
    keyId: p.text().nullable(),
    /** Since when, and why, no scheduled export starts. */
    pausedAt: p.datetime(6).nullable(),
    pausedCode: p.text().nullable(),
    pausedReason: p.text().nullable(),
    updatedAt: p.datetime(6).defaultRaw('now()'),
    updatedBy: p.text(),
  },
});
