import { join, resolve } from 'node:path';
import type { DestinationSettings } from './destination.ts';

/**
 * Where a file of an export lies, in a form that can be pasted: an absolute path, or `s3://bucket/…`.
 *
 * @param key relative to the destination's prefix
 * @param exportDir folder that holds all local destinations
 */
export function fileLocation(settings: DestinationSettings, key: string, exportDir: string): string {
  const path = settings.prefix === '' ? key : `${settings.prefix}/${key}`;
  return settings.kind === 's3' ? `s3://${settings.bucket}/${path}` : join(resolve(exportDir), path);
}
