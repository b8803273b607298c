/**
 * How long to wait for an answer beyond the statement's time-out, in milliseconds. The server ends each statement after its
 * time-out, so a longer silence means that the server is gone.
 */
export const SILENCE_MARGIN_MS = 5_000;

/**
 * Longest writing transaction, in milliseconds, where the server has `transaction_timeout` (PostgreSQL 17). It normally
 * takes milliseconds; one that hangs holds back what exports may read. An older transaction only reads, like a dump.
 */
export const LONGEST_TRANSACTION_MS = 10 * 60_000;
