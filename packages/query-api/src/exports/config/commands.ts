import { type Kysely, sql } from 'kysely';
import { ApiError } from '@sluice/errors/api-errors';
import type { DestinationSettings } from '@sluice/exports/destination';
import { sealCredentials } from '@sluice/exports/export-credentials';
import type { ExportSettings } from '@sluice/exports/export-settings';
import { type Sealed, SealError, type SealingKeys } from '@sluice/exports/sealed-secrets';
import type { CheckedConfig } from './inputs.ts';
import type { Principal } from '@sluice/access/principal';
import { noteAction } from '../../audit/commands.ts';

/** Makes others that change this tenant's configuration wait for the end of the caller's transaction. */
export async function lockExportConfig(db: Kysely<unknown>, tenant: string): Promise<void> {
  // A row that is not there yet can't be locked.
  await sql`SELECT pg_advisory_xact_lock(hashtextextended(${`export-config:${tenant}`}, 0))`.execute(db);
}

/**
 * Keeps a checked configuration, credentials sealed, inside the caller's transaction. One that goes elsewhere is no
 * longer paused.
 *
 * @throws ApiError `no_encryption_key` for credentials that nothing can seal
 */
export async function saveExportConfig(
  db: Kysely<unknown>,
  tenant: string,
  config: CheckedConfig,
  operator: Principal,
  keys: SealingKeys,
): Promise<void> {
  const { enabled, schedule, format, compression, destination, backup, moved } = config;
  const sealed = sealOrRefuse(keys, tenant, config);
  await sql`
    INSERT INTO export_configs AS c (tenant, enabled, schedule, format, compression, destination, backup, secrets, key_id,
                                     updated_by)
    VALUES (${tenant}, ${enabled}, ${JSON.stringify(schedule)}::jsonb, ${format}, ${compression},
            ${JSON.stringify(destination)}::jsonb, ${backup === null ? null : JSON.stringify(backup)}::jsonb,
            ${sealed?.bytes ?? null}, ${sealed?.keyId ?? null}, ${operator.name})
    ON CONFLICT (tenant) DO UPDATE SET
      enabled = excluded.enabled, schedule = excluded.schedule, format = excluded.format,
      compression = excluded.compression, destination = excluded.destination, backup = excluded.backup,
      secrets = excluded.secrets, key_id = excluded.key_id, updated_at = now(), updated_by = excluded.updated_by,
      paused_at = CASE WHEN ${moved}::boolean THEN NULL ELSE c.paused_at END,
      paused_code = CASE WHEN ${moved}::boolean THEN NULL ELSE c.paused_code END,
      paused_reason = CASE WHEN ${moved}::boolean THEN NULL ELSE c.paused_reason END`.execute(db);
  if (moved) await moveQueuedRuns(db, tenant, destination, backup);
  await noteAction(db, operator, {
    action: 'exports.configure',
    affected: 1,
    details: { tenant, enabled, schedule, format, compression, destination, backup, credentials_kept: sealed !== null },
  });
}

/**
 * Forgets a tenant's configuration and credentials, inside the caller's transaction.
 *
 * @throws ApiError `not_found` when it has none
 */
export async function forgetExportConfig(
  db: Kysely<unknown>,
  tenant: string,
  operator: Principal,
  { defaults }: ExportSettings,
): Promise<void> {
  const { rows } = await sql`DELETE FROM export_configs WHERE tenant = ${tenant} RETURNING tenant`.execute(db);
  if (rows.length === 0) throw new ApiError('not_found', `tenant "${tenant}" has no export configuration.`);
  await moveQueuedRuns(db, tenant, defaults.destination, defaults.backup);
  await noteAction(db, operator, { action: 'exports.forget', affected: 1, details: { tenant } });
}

/**
 * Runs that wait, be it for their next attempt, go where exports go now, all of their files from scratch: their old place has no
 * credentials any more.
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
    throw new ApiError('no_encryption_key', `The credentials cannot be kept: ${error.message}.`);
  }
}
