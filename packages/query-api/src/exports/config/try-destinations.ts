import type { Kysely } from 'kysely';
import { messageOf } from '@sluice/errors/message-of';
import { type Destination, DestinationError, type DestinationSettings } from '@sluice/exports/destination';
import type { ExportConfig } from '@sluice/exports/export-config';
import type { DestinationRole } from '@sluice/exports/export-credentials';
import type { ExportSettings } from '@sluice/exports/export-settings';
import { openDestination } from '@sluice/exports/open-destination';
import { allowsPrivate, isDefaultPlace, openTenantDestination } from '@sluice/exports/open-tenant-destination';
import type { CheckedConfig } from './inputs.ts';

/** How long a destination may take to write, read and remove a small file, in milliseconds. */
const PROBE_TIMEOUT_MS = 10_000;

/** The result of testing one destination. */
export type ProbeResult =
  | { readonly ok: true; readonly label: string }
  | { readonly ok: false; readonly code: string; readonly message: string };

/** The result of testing a configuration; `code` and `message` are those of the first destination that failed. */
export interface ConfigProbe {
  readonly ok: boolean;
  readonly code?: string;
  readonly message?: string;
  readonly destination: ProbeResult;
  /** Null when there is no backup. */
  readonly backup: ProbeResult | null;
}

/** Tests the stored configuration. */
export async function tryDestinations(
  db: Kysely<unknown>,
  config: ExportConfig,
  settings: ExportSettings,
): Promise<ConfigProbe> {
  const { tenant } = config;
  return probeBoth(config, (role, place) => openTenantDestination(db, { tenant, role, settings: place }, settings));
}

/** Tests a configuration before it is stored. */
export async function tryGivenDestinations(config: CheckedConfig, settings: ExportSettings): Promise<ConfigProbe> {
  return probeBoth(config, async (role, place) => {
    const preset = isDefaultPlace(place, role, settings) ? settings.defaults.credentials : null;
    return openDestination(place, config.credentials[role] ?? preset, {
      exportDir: settings.exportDir,
      allowPrivate: allowsPrivate(place, settings),
    });
  });
}

async function probeBoth(
  config: { readonly destination: DestinationSettings; readonly backup: DestinationSettings | null },
  open: (role: DestinationRole, place: DestinationSettings) => Promise<Destination>,
): Promise<ConfigProbe> {
  const [destination, backup] = await Promise.all([
    probe(() => open('destination', config.destination)),
    config.backup === null ? null : probe(() => open('backup', config.backup!)),
  ]);
  const failed = [destination, backup].find((each) => each?.ok === false);
  return {
    ok: failed === undefined,
    ...(failed?.ok === false ? { code: failed.code, message: failed.message } : {}),
    destination,
    backup,
  };
}

async function probe(open: () => Promise<Destination>): Promise<ProbeResult> {
  const limit = AbortSignal.timeout(PROBE_TIMEOUT_MS);
  let destination: Destination | null = null;
  try {
    destination = await open();
    await destination.probe(limit);
    return { ok: true, label: destination.label };
  } catch (error) {
    if (limit.aborted) {
      const where = destination === null ? '' : `${destination.label}: `;
      const message = `${where}there was no answer within ${PROBE_TIMEOUT_MS / 1000} s.`;
      return { ok: false, code: 'unreachable', message };
    }
    if (error instanceof DestinationError) return { ok: false, code: error.code, message: error.message };
    return { ok: false, code: 'bad_destination', message: messageOf(error) };
  } finally {
    destination?.close();
  }
}
