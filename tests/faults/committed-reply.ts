/**
 * Matches Postgres's reply to a committed transaction of the writer. Mostly it is one statement: the column of its answer,
 * CommandComplete (message `C`, its length, its tag), and ReadyForQuery outside of a transaction (`Z`, `I`), which is
 * sent after the commit. A transaction that replays or isolates ends with a COMMIT of its own.
 */
// oxlint-disable-next-line no-control-regex -- a binary protocol
export const COMMITTED_REPLY = /stored\0[^]*C\0\0\0\rSELECT 1\0Z\0\0\0\u0005I|C\0\0\0\u000bCOMMIT\0/;
