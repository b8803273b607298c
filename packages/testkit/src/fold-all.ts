import { PROJECTIONS } from '@sluice/projections/all-projections';
import { foldLive } from '@sluice/projections/fold/fold-live';
import { openDatabase } from '@sluice/store/database';
import { behindFence } from './behind-fence.ts';
import type { TestDatabase } from './test-database.ts';

/** Folds everything that is committed into sessions and roll-ups, as the job of the maintenance worker does. */
export async function foldAll(database: Pick<TestDatabase, 'query' | 'url'>): Promise<void> {
  await behindFence(database);
  const opened = openDatabase({
    url: database.url,
    poolSize: 1,
    statementTimeoutMs: 60_000,
    applicationName: 'sluice-maintenance',
  });
  try {
    await foldLive(opened, PROJECTIONS, { goOn: () => true });
  } finally {
    await opened.close();
  }
}
