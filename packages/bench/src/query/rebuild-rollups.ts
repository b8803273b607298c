import { setTimeout as delay } from 'node:timers/promises';
import type { QueryClient } from './ask.ts';

/** Asks this often how far it is, in milliseconds. */
const EVERY_MS = 500;

/**
 * Has the roll-ups built from all that is stored: running ones have no eyes for events whose `stored_at` lies in the
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
