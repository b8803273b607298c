/**
 * How much longer than a statement may take its answer is waited for, in milliseconds. The server ends each statement after
 * its time-out, so more silence means that nobody is there any more.
 */
export const SILENCE_MARGIN_MS = 5_000;
