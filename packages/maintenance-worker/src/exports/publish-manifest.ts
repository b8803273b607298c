import type { Destination } from '@sluice/shared/exports/destination';
import { streamOf } from './write-part.ts';

/**
 * Writes the manifest, to the backup first: the client's own is the very last thing that is written, so what it names is
 * everywhere. When that fails, the backup's is taken back.
 *
 * @param destinations the client's first
 */
export async function publishManifest(
  key: string,
  text: string,
  destinations: readonly Destination[],
  signal: AbortSignal,
): Promise<void> {
  const published: Destination[] = [];
  try {
    for (const destination of destinations.toReversed()) {
      await destination.write(key, streamOf(text), signal);
      published.push(destination);
    }
  } catch (error) {
    for (const destination of published) await destination.remove(key, signal).catch(() => {});
    throw error;
  }
}
