import { sql } from 'kysely';
import type { Database } from '../database.ts';
import { inTransaction } from '../transaction.ts';
import { detachSegment, type DetachOptions, finalizeDetach } from './detach-segment.ts';
import { WEEKLY_PARENT } from './segment-table.ts';

/**
 * Drops the parent of the weekly partitions once the last of them is gone. An interrupted run is continued by the next.
 *
 * @throws what Postgres answered; 55P03 when a reader has it open for longer
 */
export async function dropWeeklyParent(database: Database, options: DetachOptions): Promise<void> {
  const { db } = database;
  const { rows } = await sql<{ attached: boolean; pending: boolean }>`
    SELECT i.inhrelid IS NOT NULL AS attached, coalesce(i.inhdetachpending, false) AS pending
    FROM pg_class AS c LEFT JOIN pg_inherits AS i ON i.inhrelid = c.oid
    WHERE c.oid = to_regclass(${WEEKLY_PARENT}) AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhparent = c.oid)`.execute(
    db,
  );
  const [parent] = rows;
  if (parent === undefined) return;
  if (parent.attached) {
    const detach = parent.pending ? finalizeDetach : detachSegment;
    await db.connection().execute((connection) => detach(connection, WEEKLY_PARENT, options));
  }
  await inTransaction(database, async (transaction) => {
    await sql.raw(`SET LOCAL lock_timeout = ${options.lockTimeoutMs}`).execute(transaction);
    await sql`DROP TABLE ${sql.table(WEEKLY_PARENT)}`.execute(transaction);
  });
}
