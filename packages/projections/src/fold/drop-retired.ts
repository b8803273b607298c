import { sql } from 'kysely';
import type { Database } from '@sluice/store/database';
import type { FoldedProjection } from '@sluice/store/projection';
import { inTransaction } from '@sluice/store/transaction';

/**
 * Deletes generations that are no longer read, one batch per transaction.
 *
 * @param goOn called between two batches; false ends the work
 */
export async function dropRetired(
  database: Database,
  projections: readonly FoldedProjection[],
  goOn: () => boolean,
): Promise<void> {
  while (goOn()) {
    const left = await inTransaction(database, async (db) => {
      const { rows } = await sql<{ generation: number }>`
        SELECT generation FROM rollup_generations WHERE state = 'retired' ORDER BY generation LIMIT 1
        FOR UPDATE SKIP LOCKED`.execute(db);
      if (rows[0] === undefined) return false;
      const { generation } = rows[0];
      for (const { rebuild } of projections) if (await rebuild.drop(db, generation)) return true;
      await sql`DELETE FROM rollup_generations WHERE generation = ${generation}`.execute(db);
      return true;
    });
    if (!left) return;
  }
}
