import { inTransaction } from '@sluice/store/in-transaction';
import { summarizeNewBlocks } from '@sluice/store/layout/summarize-new-blocks';
import type { Orm } from '@sluice/store/orm';
import type { Folded, FoldedProjection, FoldOptions } from '@sluice/store/projection';
import { dropRetired } from './drop-retired.ts';
import { fold } from './fold.ts';
import { beginGeneration, lockGenerations } from './generations.ts';
import { rebuildRollups } from './rebuild.ts';
import { unfoldCounts } from './unfold.ts';

/**
 * The counts behind statistics, also called roll-ups: how many events of a tenant have which value in which hour and on
 * which day. Generations keep a rebuild apart from what is read meanwhile.
 */
export const counts: FoldedProjection = {
  name: 'counts',
  kind: 'folded',
  tables: ['rollup_generations', 'rollup_hours', 'rollup_days'],
  fold: foldLive,
  unfold: unfoldCounts,
  rebuild: rebuildRollups,
};

async function foldLive(orm: Orm, options: FoldOptions): Promise<Folded> {
  await inTransaction(orm, async (db) => {
    const generations = await lockGenerations(db);
    if (!generations.some(({ state }) => state === 'live')) await beginGeneration(db, 'live');
  });
  await summarizeNewBlocks(orm, new Date());
  const folded = await fold(orm, 'live', options);
  await dropRetired(orm, options.goOn);
  return folded;
}
