import { setTimeout as delay } from 'node:timers/promises';
import type { QueryClient } from './ask.ts';

/** How often to check the progress, in milliseconds. */
const EVERY_MS = 500;

/**
 * Builds the roll-ups from everything that is stored. The regular fold does not see events whose `stored_at` is in the
 * past, which only a benchmark stores.
 *
 * @throws when the run fails
 */
export async function rebuildRollups(
  client: QueryClient,
  signal: AbortSignal,
  onProgress: (events: number) => void,
): Promise<void> {
  const { id } = await client.ask('POST', '/api/jobs/rebuild-rollups/runs', {});
  for (;;) {
    const run = await client.ask('GET', `/api/jobs/runs/${String(id)}`);
    onProgress(Number(run['rows'] ?? 0));
    if (run['state'] === 'succeeded') return;
    if (run['state'] === 'failed' || run['state'] === 'cancelled') {
      throw new Error(`the roll-ups could not be built: ${String(run['error'])}`);
    }
    await delay(EVERY_MS, undefined, { signal });
  }
}
