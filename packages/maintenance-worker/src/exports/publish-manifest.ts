import { inSpan } from '@sluice/daemon/telemetry/in-span';
import type { Destination } from '@sluice/exports/destination';
import { streamOf } from './write-part.ts';

/**
 * Writes the manifest, to the backup first: the client's own is the very last thing that is written, so what it names is
 * everywhere. When that fails, what is there is taken back, also where the answer was lost on its way.
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
