import { sql } from 'kysely';
import type { FoldedProjection } from '@sluice/store/projection';
import { COUNT_TABLES, foldCounts } from './fold.ts';
import { unfoldCounts } from './unfold.ts';

/** Rows that one transaction deletes. */
const BATCH = 10_000;

/**
 * The counts for statistics, also called roll-ups: how many events of a tenant have which value in which hour, on which day
 * and in which week. A rebuild makes a new generation, while statistics read the current one.
 */
export const counts: FoldedProjection = {
  name: 'counts',
  kind: 'folded',
  tables: COUNT_TABLES,
  fold: foldCounts,
  unfold: unfoldCounts,
  rebuild: {
    // Every row names its generation, so both stand side by side.
    async begin() {},
    async replace() {},
    async drop(db, generation) {
      for (const table of COUNT_TABLES) {
        const { numAffectedRows = 0n } = await sql`
          DELETE FROM ${sql.table(table)} WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM ${sql.table(table)} WHERE generation = ${generation} LIMIT ${BATCH}))`.execute(db);
        if (numAffectedRows > 0n) return true;
      }
      return false;
    },
  },
};
