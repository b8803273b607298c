import { setTimeout as delay } from 'node:timers/promises';

/** Waits `ms` milliseconds, or until the signal is aborted, whichever is first. */
export async function waitOrAbort(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch (error) {
    if ((error as Error).name !== 'AbortError') throw error;
  }
}
