import type { Database } from '@sluice/store/database';
import type { Folded, FoldOptions, Projection } from '@sluice/store/projection';
import { inTransaction } from '@sluice/store/transaction';
import { dropRetired } from './drop-retired.ts';
import { fold } from './fold.ts';
import { foldedOf } from './folded-of.ts';
import { beginGeneration, lockGenerations } from './generations.ts';

/**
 * Folds everything below the fence into all folded projections of a list.
 *
 * @throws when the position belongs to another cluster
 */
export async function foldLive(
  database: Database,
  projections: readonly Projection[],
  options: FoldOptions,
): Promise<Folded> {
  const folded = foldedOf(projections);
  await inTransaction(database, async (db) => {
    const generations = await lockGenerations(db);
    if (!generations.some(({ state }) => state === 'live')) await beginGeneration(db, 'live');
  });
  const done = await fold(database, folded, 'live', options);
  await dropRetired(database, folded, options.goOn);
  return done;
}
