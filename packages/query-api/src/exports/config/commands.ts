import { type Kysely, sql } from 'kysely';
import type { Principal } from '@sluice/access/principal';
import { ApiError } from '@sluice/errors/api-errors';
import type { DestinationSettings } from '@sluice/exports/destination';
import { sealCredentials } from '@sluice/exports/export-credentials';
import type { ExportSettings } from '@sluice/exports/export-settings';
import { type Sealed, SealError, type SealingKeys } from '@sluice/exports/sealed-secrets';
import { lockInTransaction } from '@sluice/store/advisory-lock';
import { ExportConfig } from '@sluice/store/entities/export-config';
import { LOCKED, now, type UnitOfWork } from '@sluice/store/entities/unit-of-work';
import { noteChange } from '../../audit/commands.ts';
import type { CheckedConfig } from './inputs.ts';

/** Locks the tenant's configuration against other changes until the end of the caller's transaction. */
export async function lockExportConfig(db: Kysely<unknown>, tenant: string): Promise<void> {
  await lockInTransaction(db, `export-config:${tenant}`);
}

/**
 * Stores a checked configuration, with sealed credentials. A configuration with another destination is no longer paused.
 *
 * @param unit holds the lock of the tenant's configuration
 * @throws ApiError `no_encryption_key` when no key can seal the credentials
 */
export async function saveExportConfig(
  unit: UnitOfWork,
  tenant: string,
  config: CheckedConfig,
  operator: Principal,
  keys: SealingKeys,
): Promise<void> {
  const { enabled, schedule, format, compression, destination, backup, moved } = config;
  const sealed = sealOrRefuse(keys, tenant, config);
  const wanted = {
    enabled,
    schedule,
    format,
    compression,
    destination,
    backup,
    secrets: sealed?.bytes ?? null,
    keyId: sealed?.keyId ?? null,
    updatedBy: operator.name,
  };
  const configs = unit.entities.getRepository(ExportConfig);
  const present = await configs.findOne({ tenant }, LOCKED);
  if (present === null) configs.create({ tenant, ...wanted });
  else {
    const resumed = moved ? { pausedAt: null, pausedCode: null, pausedReason: null } : {};
    configs.assign(present, { ...wanted, ...resumed, updatedAt: now() }, { mergeObjectProperties: false });
  }
  if (moved) await moveQueuedRuns(unit.db, tenant, destination, backup);
  noteChange(unit, operator, {
    action: 'exports.configure',
    affected: 1,
    details: { tenant, enabled, schedule, format, compression, destination, backup, credentials_kept: sealed !== null },
  });
}

/**
 * Deletes a tenant's configuration and credentials.
 *
 * @throws ApiError `not_found` when it has none
 */
export async function forgetExportConfig(
  unit: UnitOfWork,
  tenant: string,
  operator: Principal,
  { defaults }: ExportSettings,
): Promise<void> {
  const present = await unit.entities.getRepository(ExportConfig).findOne({ tenant }, LOCKED);
  if (present === null) throw new ApiError('not_found', `tenant "${tenant}" has no export configuration.`);
  unit.entities.remove(present);
  await moveQueuedRuns(unit.db, tenant, defaults.destination, defaults.backup);
  noteChange(unit, operator, { action: 'exports.forget', affected: 1, details: { tenant } });
}

/**
 * Moves waiting runs to the present destination, also those that wait for their next attempt. They write all files from
 * scratch, because the credentials of the old destination are gone.
 */
async function moveQueuedRuns(
  db: Kysely<unknown>,
  tenant: string,
  destination: DestinationSettings,
  backup: DestinationSettings | null,
): Promise<void> {
  await sql`
    UPDATE export_runs
    SET destination = ${JSON.stringify(destination)}::jsonb,
        backup = ${backup === null ? null : JSON.stringify(backup)}::jsonb, next_attempt_at = NULL,
        manifest = NULL, manifest_key = NULL
    WHERE tenant = ${tenant} AND state IN ('queued', 'paused')`.execute(db);
}

function sealOrRefuse(keys: SealingKeys, tenant: string, { credentials }: CheckedConfig): Sealed | null {
  try {
    return sealCredentials(keys, tenant, credentials);
  } catch (error) {
    if (!(error instanceof SealError)) throw error;
    throw new ApiError('no_encryption_key', `The credentials cannot be stored: ${error.message}.`);
  }
}
