/** First and longest wait, in milliseconds. */
export interface Backoff {
  readonly initialMs: number;
  readonly maxMs: number;
}

/**
 * How long to wait after try number `attempt` (from 1): doubling up to the longest, of which half is left to
 * chance, so that writers which failed together do not come back together.
 */
export function backoffDelay(backoff: Backoff, attempt: number): number {
  const ceiling = Math.min(backoff.initialMs * 2 ** Math.min(attempt - 1, 30), backoff.maxMs);
  return ceiling / 2 + (Math.random() * ceiling) / 2;
}
