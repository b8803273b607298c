import { sql } from 'kysely';
import type { Database } from '@sluice/store/database';
import { inTransaction } from '@sluice/store/transaction';

/** Rows that one transaction deletes. */
const BATCH = 10_000;

/**
 * Deletes roll-ups that are no longer read, one batch per transaction.
 *
 * @param goOn called between two batches; false ends the work
 */
export async function dropRetired(database: Database, goOn: () => boolean): Promise<void> {
  while (goOn()) {
    const left = await inTransaction(database, async (db) => {
      const { rows } = await sql<{ generation: number }>`
        SELECT generation FROM rollup_generations WHERE state = 'retired' ORDER BY generation LIMIT 1
        FOR UPDATE SKIP LOCKED`.execute(db);
      if (rows[0] === undefined) return false;
      const { generation } = rows[0];
      for (const table of ['rollup_hours', 'rollup_days']) {
        const { numAffectedRows = 0n } = await sql`
          DELETE FROM ${sql.table(table)} WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM ${sql.table(table)} WHERE generation = ${generation} LIMIT ${BATCH}))`.execute(db);
        if (numAffectedRows > 0n) return true;
      }
      await sql`DELETE FROM rollup_generations WHERE generation = ${generation}`.execute(db);
      return true;
    });
    if (!left) return;
  }
}
