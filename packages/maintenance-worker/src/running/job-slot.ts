import type { Kysely } from 'kysely';
import { withAdvisoryLock } from '@sluice/store/advisory-lock';
import type { Database } from '@sluice/store/database';

/** Name of the advisory lock of one of a job's slots. */
export function slotLock(job: string, slot: number): string {
  return `job:${job}:${slot}`;
}

/**
 * Runs `work` in a free slot of the job. A slot is an advisory lock, so slots are shared by all workers and freed when a
 * process dies.
 *
 * @returns what `work` returned, or `busy` when every slot is taken
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
