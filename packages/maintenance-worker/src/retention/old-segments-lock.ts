import { setTimeout as delay } from 'node:timers/promises';
import { withAdvisoryLock } from '@sluice/store/advisory-lock';
import type { Database } from '@sluice/store/database';

/** Between two tries for the lock, in milliseconds. */
const POLL_MS = 1_000;

/**
 * Runs `work` while no other job deletes, merges or detaches events of old segments: what is deleted from a segment that is
 * being copied would be there again afterwards. Waits for the job that is at it.
 *
 * @throws when the signal is aborted while it waits
 */
export async function whileOldSegmentsAreMine<T>(
  database: Database,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  for (;;) {
    signal.throwIfAborted();
    let result: { readonly value: T } | undefined;
    await withAdvisoryLock(database, 'old-segments', async () => {
      result = { value: await work() };
    });
    if (result !== undefined) return result.value;
    await delay(POLL_MS, undefined, { signal });
  }
}
