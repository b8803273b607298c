import type { Kysely } from 'kysely';
import { knownCluster } from '@sluice/store/fence/clusters';
import { RunError } from './run-error.ts';

/**
 * Makes sure that everything a run goes by is of the cluster that the data is in, and known to be in.
 *
 * @param here the cluster of this moment
 * @param others those of the run's position and fence
 * @throws RunError `other_cluster`
 */
export async function checkCluster(
  db: Kysely<unknown>,
  here: string,
  others: readonly (string | undefined)[],
): Promise<void> {
  const known = await knownCluster(db);
  const foreign = [known, ...others].find((cluster) => cluster !== null && cluster !== undefined && cluster !== here);
  if (foreign === undefined) return;
  throw new RunError(
    'other_cluster',
    `The data was last in the PostgreSQL cluster ${foreign}; this one is ${here}, where its transaction ids mean nothing. Run: sluice jobs run rebase-exports`,
  );
}
