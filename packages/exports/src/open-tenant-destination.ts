import type { Kysely } from 'kysely';
import { isSamePlace, isSameServer } from './check-destination.ts';
import { type Credentials, type Destination, DestinationError, type DestinationSettings } from './destination.ts';
import { type ExportConfig, readExportConfig } from './export-config.ts';
import { type DestinationRole, openCredentials } from './export-credentials.ts';
import type { ExportSettings } from './export-settings.ts';
import { openDestination } from './open-destination.ts';
import { SealError } from './sealed-secrets.ts';

/**
 * Opens the destination or backup of a run, with the tenant's present credentials.
 *
 * Credentials belong to a bucket on a server. A run whose destination is no longer the tenant's gets none, so that the
 * old server never sees credentials of the new one.
 *
 * @throws DestinationError `bad_credentials` when they can't be opened, `bad_destination` for settings that can't work
 *   or are not the tenant's any more
 */
export async function openTenantDestination(
  db: Kysely<unknown>,
  run: { readonly tenant: string; readonly role: DestinationRole; readonly settings: DestinationSettings },
  exports: ExportSettings,
): Promise<Destination> {
  const { tenant, role, settings } = run;
  const credentials =
    settings.kind === 'local'
      ? null
      : credentialsOf(await readExportConfig(db, tenant, exports), role, settings, exports);
  return openDestination(settings, credentials, {
    exportDir: exports.exportDir,
    allowPrivate: allowsPrivate(settings, exports),
  });
}

/** CLIENT_S3_ENDPOINT may lie in a private network: the operator who sets it decides what this host may reach. */
export function allowsPrivate(settings: DestinationSettings, { allowPrivate, defaults }: ExportSettings): boolean {
  return allowPrivate || isSameServer(settings, defaults.destination);
}

/** Whether these are the settings of the variables, so that the credentials of the variables belong to them. */
export function isDefaultPlace(settings: DestinationSettings, role: DestinationRole, exports: ExportSettings): boolean {
  const preset = exports.defaults[role];
  return preset !== null && isSamePlace(settings, preset) && settings.prefix === preset.prefix;
}

function credentialsOf(
  config: ExportConfig,
  role: DestinationRole,
  settings: DestinationSettings,
  exports: ExportSettings,
): Credentials | null {
  const present = config[role];
  if (present !== null && isSamePlace(settings, present)) {
    try {
      const own = openCredentials(exports.keys, config.tenant, config.secrets)[role];
      if (own !== undefined) return own;
    } catch (error) {
      if (error instanceof SealError) throw new DestinationError('bad_credentials', error.message, { cause: error });
      throw error;
    }
    return isDefaultPlace(settings, role, exports) ? exports.defaults.credentials : null;
  }
  if (isDefaultPlace(settings, role, exports)) return exports.defaults.credentials;
  throw new DestinationError(
    'bad_destination',
    `The ${role} of this run is not the one of ${config.tenant} any more; a retry takes the present one.`,
  );
}
