import { waitOrAbort } from '@sluice/daemon/retry/wait-or-abort';

/** Most dead letters in one step. */
const MAX_STEP = 500;

/** Spreads dead letters over time. */
export interface Pacer {
  /** Dead letters of one step: those of a quarter of a second, so that a pause takes effect soon. */
  readonly step: number;
  /** Waits until that many more dead letters may be sent. */
  pass(letters: number): Promise<void>;
}

/** Makes a pacer. @param signal ends the waiting; the caller must check whether it is aborted */
export function createPacer(ratePerSecond: number, signal: AbortSignal): Pacer {
  let dueAt = performance.now();
  return {
    step: Math.min(MAX_STEP, Math.max(1, Math.ceil(ratePerSecond / 4))),
    async pass(letters) {
      const now = performance.now();
      const waitMs = dueAt - now;
      // A slow Redis or Postgres is not followed by a burst.
      dueAt = Math.max(dueAt, now) + (letters / ratePerSecond) * 1000;
      if (waitMs > 0) await waitOrAbort(waitMs, signal);
    },
  };
}
