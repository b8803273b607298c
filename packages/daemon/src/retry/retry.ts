import { type Backoff, backoffDelay } from './backoff.ts';
import { waitOrAbort } from './wait-or-abort.ts';

/** How long to try, and what to call after each failure. */
export interface RetryOptions {
  readonly backoff: Backoff;
  /** Ends the tries; one that is running is not cut short. */
  readonly signal: AbortSignal;
  /** Called after each try that failed, before the wait. */
  readonly onFailure: (error: unknown, attempt: number) => void | Promise<void>;
}

/**
 * Tries until the work succeeds. The first try is made in any case, also when the signal is aborted already.
 *
 * @param work called with the number of the try, from 1
 * @returns what the work returned; null when the signal was aborted first
 */
export async function retry<T>(
  work: (attempt: number) => Promise<T>,
  { backoff, signal, onFailure }: RetryOptions,
): Promise<T | null> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work(attempt);
    } catch (error) {
      await onFailure(error, attempt);
    }
    await waitOrAbort(backoffDelay(backoff, attempt), signal);
    if (signal.aborted) return null;
  }
}
