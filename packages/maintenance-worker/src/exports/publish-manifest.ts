import { inSpan } from '@sluice/daemon/telemetry/in-span';
import type { Destination } from '@sluice/exports/destination';
import { streamOf } from './write-part.ts';

/**
 * Writes the manifest to the backup first and to the client's destination last, so that what it names is everywhere.
 * When that fails, the manifests are removed again, also where only the answer was lost.
 *
 * @param destinations the client's first
 */
export function publishManifest(
  key: string,
  text: string,
  destinations: readonly Destination[],
  signal: AbortSignal,
): Promise<void> {
  return inSpan('publish manifest', {}, () => publish(key, text, destinations, signal));
}

async function publish(
  key: string,
  text: string,
  destinations: readonly Destination[],
  signal: AbortSignal,
): Promise<void> {
  const begun: Destination[] = [];
  try {
    for (const destination of destinations.toReversed()) {
      begun.push(destination);
      await destination.write(key, streamOf(text), signal);
    }
  } catch (error) {
    for (const destination of begun) await destination.remove(key, signal).catch(() => {});
    throw error;
  }
}
