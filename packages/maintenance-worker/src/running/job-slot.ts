import type { Kysely } from 'kysely';
import type { Database } from '@sluice/store/database';
import { withAdvisoryLock } from '@sluice/store/advisory-lock';

/** Name of the advisory lock of one of a job's places. */
export function slotLock(job: string, slot: number): string {
  return `job:${job}:${slot}`;
}

/**
 * Runs `work` in one of the places that a job has, over all workers: whoever holds the advisory lock of a place runs
 * there, and it is free the moment the process dies.
 *
 * @returns what `work` returned, or `busy` when every place is taken
 */
export async function inSlot<T>(
  database: Database,
  job: { readonly name: string; readonly concurrency: number },
  work: (db: Kysely<unknown>, slot: number) => Promise<T>,
): Promise<T | 'busy'> {
  for (let slot = 0; slot < job.concurrency; slot += 1) {
    let result: T | 'busy' = 'busy';
    const ran = await withAdvisoryLock(database, slotLock(job.name, slot), async (db) => {
      result = await work(db, slot);
    });
    if (ran) return result;
  }
  return 'busy';
}
