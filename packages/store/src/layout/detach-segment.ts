import { type Kysely, sql } from 'kysely';

/** How long a DETACH waits for the readers that have the table open. */
export interface DetachOptions {
  /** For one transaction, in milliseconds. Must be less than STATEMENT_TIMEOUT_MS, which would end it first. */
  readonly lockTimeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * Detaches a segment while others write and read. A plain DETACH or DROP locks the whole parent: it would wait for one open
 * reader, and every writer would wait for it. CONCURRENTLY waits for the open readers, and lets others in meanwhile. From its
 * start, new queries no longer see the segment.
 *
 * An interrupted DETACH (a time-out, a dead worker) leaves the segment pending: see `finalizeDetach`.
 *
 * @param db one connection, outside of a transaction
 * @throws what Postgres answered; 55P03 when a reader has the table open for longer
 */
export async function detachSegment(db: Kysely<unknown>, relation: string, options: DetachOptions): Promise<void> {
  await alterParent(db, relation, sql`CONCURRENTLY`, options);
}

/** Finishes an interrupted DETACH, once the last reader that saw the segment has ended. */
export async function finalizeDetach(db: Kysely<unknown>, relation: string, options: DetachOptions): Promise<void> {
  await alterParent(db, relation, sql`FINALIZE`, options);
}

async function alterParent(
  db: Kysely<unknown>,
  relation: string,
  how: ReturnType<typeof sql>,
  { lockTimeoutMs, signal }: DetachOptions,
): Promise<void> {
  const { rows } = await sql<{ parent: string }>`
    SELECT c.relname AS parent FROM pg_inherits JOIN pg_class AS c ON c.oid = inhparent
    WHERE inhrelid = ${relation}::regclass`.execute(db);
  const [attached] = rows;
  if (attached === undefined) return;
  await sql.raw(`SET lock_timeout = ${lockTimeoutMs}`).execute(db);
  try {
    await sql`ALTER TABLE ${sql.table(attached.parent)} DETACH PARTITION ${sql.table(relation)} ${how}`.execute(db, {
      signal,
      inflightQueryAbortStrategy: 'cancel query',
    });
  } finally {
    // On a broken connection this fails, and there is nothing to reset.
    await sql`RESET lock_timeout`.execute(db).catch(() => {});
  }
}
