import { waitOrAbort } from '@sluice/daemon/retry/wait-or-abort';

/** Most letters in one step. */
const MAX_STEP = 500;

/** Spreads letters over time. */
export interface Pacer {
  /** Letters of one step: a quarter of a second's, so that a pause takes effect soon. */
  readonly step: number;
  /** Waits until so many letters more may go. */
  pass(letters: number): Promise<void>;
}

/** @param signal ends the waiting; the caller then sees that it is aborted */
export function createPacer(ratePerSecond: number, signal: AbortSignal): Pacer {
  let dueAt = performance.now();
  return {
    step: Math.min(MAX_STEP, Math.max(1, Math.ceil(ratePerSecond / 4))),
    async pass(letters) {
      const now = performance.now();
      const waitMs = dueAt - now;
      // What was missed while Redis or Postgres was slow is not made up for by a burst.
      dueAt = Math.max(dueAt, now) + (letters / ratePerSecond) * 1000;
      if (waitMs > 0) await waitOrAbort(waitMs, signal);
    },
  };
}
