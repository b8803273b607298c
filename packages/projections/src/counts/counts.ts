import type { Database } from '@sluice/store/database';
import type { Folded, FoldedProjection, FoldOptions } from '@sluice/store/projection';
import { inTransaction } from '@sluice/store/transaction';
import { dropRetired } from './drop-retired.ts';
import { fold } from './fold.ts';
import { beginGeneration, lockGenerations } from './generations.ts';
import { rebuildRollups } from './rebuild.ts';
import { unfoldCounts } from './unfold.ts';

/**
 * The counts for statistics, also called roll-ups: how many events of a tenant have which value in which hour and on which
 * day. A rebuild makes a new generation, while statistics read the current one.
 */
export const counts: FoldedProjection = {
  name: 'counts',
  kind: 'folded',
  tables: ['rollup_generations', 'rollup_hours', 'rollup_days'],
  fold: foldLive,
  unfold: unfoldCounts,
  rebuild: rebuildRollups,
};

async function foldLive(database: Database, options: FoldOptions): Promise<Folded> {
  await inTransaction(database, async (db) => {
    const generations = await lockGenerations(db);
    if (!generations.some(({ state }) => state === 'live')) await beginGeneration(db, 'live');
  });
  const folded = await fold(database, 'live', options);
  await dropRetired(database, options.goOn);
  return folded;
}
