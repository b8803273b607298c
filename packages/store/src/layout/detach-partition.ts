import { type Kysely, sql } from 'kysely';

/** How long a DETACH waits for the readers that have the table open. */
export interface DetachOptions {
  /** For one transaction, in milliseconds. Must be less than STATEMENT_TIMEOUT_MS, which would end it first. */
  readonly lockTimeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * Detaches a partition from `events` while others write and read. A plain DETACH or DROP locks the whole parent: it would
 * wait for one open reader, and every writer would wait for it. CONCURRENTLY waits for the open readers, and lets others
 * in meanwhile. From its start, new queries no longer see the partition.
 *
 * An interrupted DETACH (a time-out, a dead worker) leaves the partition pending: see `finalizeDetach`.
 *
 * @param db one connection, outside of a transaction
 * @throws what Postgres answered; 55P03 when a reader has the table open for longer
 */
export async function detachPartition(db: Kysely<unknown>, name: string, options: DetachOptions): Promise<void> {
  await alterEvents(db, sql`ALTER TABLE events DETACH PARTITION ${sql.table(name)} CONCURRENTLY`, options);
}

/** Finishes an interrupted DETACH, once the last reader that saw the partition has ended. */
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
    // On a broken connection this fails, and there is nothing to reset.
    await sql`RESET lock_timeout`.execute(db).catch(() => {});
  }
}
