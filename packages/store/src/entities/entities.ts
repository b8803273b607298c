import { ApiKey } from './api-key.ts';
import { AuditEntry } from './audit-entry.ts';
import { ExportConfig } from './export-config.ts';
import { TenantRetention } from './tenant-retention.ts';

/** What people edit, and the audit log. Everything else is SQL. */
export const ENTITIES = [ApiKey, AuditEntry, ExportConfig, TenantRetention];
