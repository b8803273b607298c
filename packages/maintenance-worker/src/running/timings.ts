/** Intervals that tests shorten, in milliseconds. The option is called `timings` everywhere. */
export interface Timings {
  /** Between two sweeps for work that no wake-up came for. */
  readonly sweepMs: number;
  /** Between two rounds of writing the schedules to Redis. */
  readonly refreshMs: number;
  /** From the moment a run should end until the worker stops waiting for it. */
  readonly graceMs: number;
  /** Before the second delivery of a webhook notice; the wait doubles with each. */
  readonly redeliverMs: number;
}

export const TIMINGS: Timings = { sweepMs: 30_000, refreshMs: 30_000, graceMs: 5_000, redeliverMs: 5_000 };
