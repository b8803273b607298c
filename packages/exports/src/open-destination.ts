import type { Credentials, Destination, DestinationSettings } from './destination.ts';
import { openLocalDestination } from './local-destination.ts';
import { openS3Destination } from './s3-destination.ts';

/**
 * Opens a destination; sends nothing to it yet.
 *
 * @param credentials null for the AWS SDK's own chain; local folders have none
 * @param options.exportDir folder that holds all local destinations
 * @param options.allowPrivate whether an S3 endpoint may lie in a private network
 * @throws DestinationError `bad_destination` for settings that can't work
 */
export function openDestination(
  settings: DestinationSettings,
  credentials: Credentials | null,
  options: { exportDir: string; allowPrivate: boolean },
): Destination {
  if (settings.kind === 'local') return openLocalDestination(options.exportDir, settings.prefix);
  return openS3Destination(settings, credentials, { allowPrivate: options.allowPrivate });
}
