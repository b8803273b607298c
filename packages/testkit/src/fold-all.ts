import { setTimeout as delay } from 'node:timers/promises';
import { PROJECTIONS } from '@sluice/projections/all-projections';
import { foldLive } from '@sluice/projections/fold/fold-live';
import { openDatabase } from '@sluice/store/database';

/** How long to try, and how often, in milliseconds. */
const PATIENCE_MS = 180_000;
const EVERY_MS = 20;

/**
 * Folds everything that is committed into sessions and roll-ups, as the job of the maintenance worker does. Test files share
 * a server: a transaction of another one, in its own database, may hold the fence back for a while.
 */
export async function foldAll({ url, query }: FoldedDatabase): Promise<void> {
  const [now] = await query('SELECT pg_current_xact_id()::text AS tx');
  const tx = String(now!['tx']);
  const opened = openDatabase({
    url,
    poolSize: 1,
    statementTimeoutMs: 60_000,
    applicationName: 'sluice-maintenance',
  });
  try {
    for (const deadline = performance.now() + PATIENCE_MS; ;) {
      await foldLive(opened, PROJECTIONS, { goOn: () => true });
      const folded = await query(`SELECT FROM rollup_generations WHERE state = 'live' AND tx > '${tx}'`);
      if (folded.length > 0) return;
      if (performance.now() > deadline) throw new Error('the fence does not pass what is committed');
      await delay(EVERY_MS);
    }
  } finally {
    await opened.close();
  }
}

/** A test's database. */
interface FoldedDatabase {
  readonly url: string;
  query(this: void, text: string): Promise<Record<string, unknown>[]>;
}
