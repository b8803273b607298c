import type { Kysely } from 'kysely';
import { knownCluster } from '@sluice/store/fence/clusters';
import { RunError } from './run-error.ts';

/**
 * Checks that the transaction ids of a run are of the present cluster, and that the data has not moved to it unnoticed.
 *
 * @param here the present cluster
 * @param others the clusters of the run's position and fence
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
