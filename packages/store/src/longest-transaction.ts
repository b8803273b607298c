/**
 * Longest writing transaction, in milliseconds, where the server has `transaction_timeout` (PostgreSQL 17). It normally
 * takes milliseconds; one that hangs holds back what exports may read. An older transaction only reads, like a dump.
 */
export const LONGEST_TRANSACTION_MS = 10 * 60_000;
