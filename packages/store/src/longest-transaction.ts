/**
 * A writing transaction ends before this, in milliseconds, where the server has `transaction_timeout` (PostgreSQL 17). It takes
 * milliseconds as a rule; one that hangs holds back what exports may read. Older ones only read, like a dump.
 */
export const LONGEST_TRANSACTION_MS = 10 * 60_000;
