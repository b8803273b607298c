/** The work took longer than its limit. */
export class TimeoutError extends Error {}

/** What else ends the wait, and what the error says. */
export interface TimeoutOptions {
  /** Ends it early: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Of the TimeoutError; `no answer within <ms> ms` when left out. */
  readonly message?: string;
}

/**
 * Waits for `work`, but no longer than `ms` milliseconds. The work itself continues: its late result, also a failure, is
 * ignored.
 *
 * @throws TimeoutError when the work is late; the signal's reason when that came first; else what the work throws
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
 * Waits until `work` has ended, but no longer than `ms` milliseconds. Late work is no error.
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
