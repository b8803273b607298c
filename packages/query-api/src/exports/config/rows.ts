import { type Kysely, sql } from 'kysely';
import type { Credentials, DestinationSettings } from '@sluice/exports/destination';
import { type ExportConfig, readExportConfig } from '@sluice/exports/export-config';
import { type DestinationRole, openCredentials, type TenantCredentials } from '@sluice/exports/export-credentials';
import type { ExportSettings } from '@sluice/exports/export-settings';
import { isDefaultPlace } from '@sluice/exports/open-tenant-destination';
import { SealError } from '@sluice/exports/sealed-secrets';
import { utc } from '../../sql/utc.ts';
import { nextRunAt } from '../status/rows.ts';

/** What the API shows of credentials: that they exist, and parts of the access key, which identify it but open nothing. */
interface ShownCredentials {
  readonly set: boolean;
  readonly access_key_id?: string;
  /** Why the stored ones cannot be used. */
  readonly problem?: string;
}

/** A tenant's configuration as the API shows it. */
export async function showExportConfig(db: Kysely<unknown>, tenant: string, settings: ExportSettings) {
  const config = await readExportConfig(db, tenant, settings);
  const { rows } = await sql<{ at: string | null }>`
    SELECT ${utc('at')} FROM (
      SELECT max(created_at) AS at FROM export_runs WHERE tenant = ${tenant} AND trigger = 'schedule') last`.execute(
    db,
  );
  const opened = open(config, settings);
  const show = (role: DestinationRole, place: DestinationSettings | null) =>
    place === null || place.kind === 'local' ? place : { ...place, credentials: shown(opened, role, place, settings) };
  return {
    tenant,
    source: config.source,
    enabled: config.enabled,
    schedule: config.schedule,
    format: config.format,
    compression: config.compression,
    destination: show('destination', config.destination),
    backup: show('backup', config.backup),
    paused: config.paused,
    next_run_at: nextRunAt(config, rows[0]?.at ?? null),
    updated_at: config.updatedAt,
    updated_by: config.updatedBy,
  };
}

function open(config: ExportConfig, { keys }: ExportSettings): TenantCredentials | SealError {
  try {
    return openCredentials(keys, config.tenant, config.secrets);
  } catch (error) {
    if (error instanceof SealError) return error;
    throw error;
  }
}

function shown(
  opened: TenantCredentials | SealError,
  role: DestinationRole,
  place: DestinationSettings,
  settings: ExportSettings,
): ShownCredentials {
  if (opened instanceof SealError) return { set: true, problem: opened.message };
  const { credentials: preset } = settings.defaults;
  const used: Credentials | undefined =
    opened[role] ?? (isDefaultPlace(place, role, settings) && preset !== null ? preset : undefined);
  return used === undefined ? { set: false } : { set: true, access_key_id: shorten(used.access_key_id) };
}

/** Enough to tell two keys apart. */
function shorten(accessKey: string): string {
  return accessKey.length <= 8 ? '…' : `${accessKey.slice(0, 4)}…${accessKey.slice(-4)}`;
}
