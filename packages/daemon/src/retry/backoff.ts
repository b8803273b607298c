/** How long to wait between tries. The wait doubles up to a maximum. */
export interface Backoff {
  /** Longest first wait, in milliseconds. */
  readonly initialMs: number;
  /** Longest wait, in milliseconds. */
  readonly maxMs: number;
  /**
   * Random share of a wait, from 0 to 1, so that clients that failed together do not come back together. Default: 0.5.
   */
  readonly jitter?: number;
}

/** @returns the wait after try number `attempt` (from 1), in milliseconds */
export function backoffDelay({ initialMs, maxMs, jitter = 0.5 }: Backoff, attempt: number): number {
  const ceiling = Math.min(initialMs * 2 ** Math.min(attempt - 1, 30), maxMs);
  return ceiling * (1 - jitter * Math.random());
}
