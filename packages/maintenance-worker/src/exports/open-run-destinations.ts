import type { Kysely } from 'kysely';
import type { Destination, DestinationSettings } from '@sluice/exports/destination';
import type { ExportSettings } from '@sluice/exports/export-settings';
import { openDestination } from '@sluice/exports/open-destination';
import { openTenantDestination } from '@sluice/exports/open-tenant-destination';

/**
 * Opens the destination of a run and then its backup; the caller closes them. An archive holds all tenants, so it goes
 * to the destination of the variables, with their credentials.
 *
 * @throws DestinationError when one can't be opened
 */
export async function openRunDestinations(
  db: Kysely<unknown>,
  run: {
    readonly tenant: string | null;
    readonly destination: DestinationSettings;
    readonly backup: DestinationSettings | null;
  },
  settings: ExportSettings,
): Promise<Destination[]> {
  const { tenant } = run;
  const opened: Destination[] = [];
  try {
    for (const role of ['destination', 'backup'] as const) {
      const place = run[role];
      if (place === null) continue;
      opened.push(
        tenant === null
          ? openDestination(place, settings.defaults.credentials, { exportDir: settings.exportDir, allowPrivate: true })
          : await openTenantDestination(db, { tenant, role, settings: place }, settings),
      );
    }
    return opened;
  } catch (error) {
    for (const destination of opened) destination.close();
    throw error;
  }
}
