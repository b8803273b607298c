/** Something took longer than it may. */
export class TimeoutError extends Error {}

/** What else ends the wait. */
export interface TimeoutOptions {
  /** Ends it early: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Of the TimeoutError; `no answer within <ms> ms` when left out. */
  readonly message?: string;
}

/**
 * Waits for `work`, but no longer than `ms` milliseconds. The work itself is not ended: what comes of it later is
 * ignored, a failure too.
 *
 * @throws TimeoutError when it is late; the signal's reason when that was first; else what the work throws
 */
export async function withTimeout<T>(
  work: Promise<T> | T,
  ms: number,
  { signal, message = `no answer within ${ms} ms` }: TimeoutOptions = {},
): Promise<T> {
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new TimeoutError(message)), ms);
  const abort = (): void => reject(signal?.reason);
  signal?.addEventListener('abort', abort, { once: true });
  if (signal?.aborted) abort();
  try {
    return await Promise.race([work, ended]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  }
}

/**
 * Waits until `work` has ended, but no longer than `ms` milliseconds: being late is no error.
 *
 * @throws what the work throws in time
 */
export async function waitAtMost(ms: number, work: Promise<unknown>): Promise<void> {
  try {
    await withTimeout(work, ms);
  } catch (error) {
    if (!(error instanceof TimeoutError)) throw error;
  }
}
