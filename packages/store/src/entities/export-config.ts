import { defineEntity, p } from '@mikro-orm/core';

/** What a tenant exports, when, and to where. */
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
    /** Credentials, encrypted with the key `keyId`. */
    secrets: p.blob().nullable(),
    keyId: p.text().nullable(),
    /** Since when scheduled exports are paused, and why. */
    pausedAt: p.datetime(6).nullable(),
    pausedCode: p.text().nullable(),
    pausedReason: p.text().nullable(),
    updatedAt: p.datetime(6).defaultRaw('now()'),
    updatedBy: p.text(),
  },
});
