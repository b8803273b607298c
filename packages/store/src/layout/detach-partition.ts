import { type Kysely, sql } from 'kysely';

/** How a DETACH waits for those who have the table open. */
export interface DetachOptions {
  /** For one transaction, in milliseconds; less than STATEMENT_TIMEOUT_MS, or that ends it first. */
  readonly lockTimeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * Takes a partition out of `events` while it is written and read. A plain DETACH (and a DROP) locks the parent against
 * everybody and would wait behind one open reader with every writer behind it; CONCURRENTLY waits for those who have the
 * table open, and lets others in meanwhile. From its first moment new queries do not see the partition any more.
 *
 * When it is interrupted (by a time-out, a dead worker) the partition is left pending: see `finalizeDetach`.
 *
 * @param db one connection, outside of a transaction
 * @throws what Postgres answered, 55P03 when somebody has the table open for longer
 */
export async function detachPartition(db: Kysely<unknown>, name: string, options: DetachOptions): Promise<void> {
  await alterEvents(db, sql`ALTER TABLE events DETACH PARTITION ${sql.table(name)} CONCURRENTLY`, options);
}

/** Ends a DETACH that was interrupted, when the last reader that saw the partition is done. */
export async function finalizeDetach(db: Kysely<unknown>, name: string, options: DetachOptions): Promise<void> {
  await alterEvents(db, sql`ALTER TABLE events DETACH PARTITION ${sql.table(name)} FINALIZE`, options);
}

async function alterEvents(
  db: Kysely<unknown>,
  statement: ReturnType<typeof sql>,
  { lockTimeoutMs, signal }: DetachOptions,
): Promise<void> {
  await sql.raw(`SET lock_timeout = ${lockTimeoutMs}`).execute(db);
  try {
    await statement.execute(db, { signal, inflightQueryAbortStrategy: 'cancel query' });
  } finally {
    // On a connection that broke this fails, and there is nothing to set back.
    await sql`RESET lock_timeout`.execute(db).catch(() => {});
  }
}
