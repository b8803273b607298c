/**
 * How long to wait for an answer beyond the statement's time-out, in milliseconds. The server ends each statement after its
 * time-out, so a longer silence means that the server is gone.
 */
export const SILENCE_MARGIN_MS = 5_000;
