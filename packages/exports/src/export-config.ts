import { type Kysely, sql } from 'kysely';
import { isoTime } from '@sluice/store/iso-time';
import type { DestinationSettings } from './destination.ts';
import type { ExportCompression, ExportFormat } from './export-formats.ts';
import type { ExportSchedule } from './export-schedule.ts';
import type { ExportSettings } from './export-settings.ts';
import type { Sealed } from './sealed-secrets.ts';

/** A tenant's exports: what, when and where to. From its own configuration, or from the variables. */
export interface ExportConfig {
  readonly tenant: string;
  /** `environment` for a tenant without a configuration of its own. */
  readonly source: 'tenant' | 'environment';
  readonly enabled: boolean;
  readonly schedule: ExportSchedule;
  readonly format: ExportFormat;
  readonly compression: ExportCompression;
  readonly destination: DestinationSettings;
  readonly backup: DestinationSettings | null;
  /** Why no scheduled export starts; null when the exports are not paused. */
  readonly paused: { readonly code: string; readonly reason: string; readonly since: string } | null;
  /** ISO 8601 UTC, as every time here. */
  readonly updatedAt: string | null;
  readonly updatedBy: string | null;
  /** Credentials, sealed; see export-credentials. */
  readonly secrets: Sealed | null;
}

/** A row of export_configs; jsonb as text. */
interface ConfigRow {
  tenant: string;
  enabled: boolean;
  schedule: string;
  format: ExportFormat;
  compression: ExportCompression;
  destination: string;
  backup: string | null;
  secrets: Buffer | null;
  key_id: string | null;
  paused_at: string | null;
  paused_code: string | null;
  paused_reason: string | null;
  updated_at: string;
  updated_by: string;
}

/** Reads the configurations of these tenants; a tenant without one of its own is left out. */
export async function readExportConfigs(
  db: Kysely<unknown>,
  tenants: readonly string[],
): Promise<ReadonlyMap<string, ExportConfig>> {
  const { rows } = await sql<ConfigRow>`
    SELECT tenant, enabled, schedule::text AS schedule, format, compression, destination::text AS destination,
           backup::text AS backup, secrets, key_id, ${isoTime('paused_at')} AS paused_at, paused_code, paused_reason,
           ${isoTime('updated_at')} AS updated_at, updated_by
    FROM export_configs WHERE tenant = ANY(${tenants}::text[])`.execute(db);
  return new Map(rows.map((row) => [row.tenant, configOf(row)]));
}

/** Reads a tenant's configuration: its own, else the one that the variables give. */
export async function readExportConfig(
  db: Kysely<unknown>,
  tenant: string,
  settings: ExportSettings,
): Promise<ExportConfig> {
  const configs = await readExportConfigs(db, [tenant]);
  return configs.get(tenant) ?? environmentConfig(tenant, settings);
}

/** The configuration that the variables give a tenant without one of its own. */
export function environmentConfig(tenant: string, { defaults }: ExportSettings): ExportConfig {
  const { enabled, schedule, format, destination, backup } = defaults;
  return {
    tenant,
    source: 'environment',
    enabled,
    schedule,
    format,
    compression: 'none',
    destination,
    backup,
    paused: null,
    updatedAt: null,
    updatedBy: null,
    secrets: null,
  };
}

function configOf(row: ConfigRow): ExportConfig {
  return {
    tenant: row.tenant,
    source: 'tenant',
    enabled: row.enabled,
    schedule: JSON.parse(row.schedule) as ExportSchedule,
    format: row.format,
    compression: row.compression,
    destination: JSON.parse(row.destination) as DestinationSettings,
    backup: row.backup === null ? null : (JSON.parse(row.backup) as DestinationSettings),
    paused:
      row.paused_at === null
        ? null
        : { code: row.paused_code ?? 'unknown', reason: row.paused_reason ?? '', since: row.paused_at },
    updatedAt: row.updated_at,
    updatedBy: row.updated_by,
    secrets: row.secrets === null || row.key_id === null ? null : { bytes: row.secrets, keyId: row.key_id },
  };
}
