import { setTimeout as delay } from 'node:timers/promises';
import { kyselyOf } from '@sluice/store/kysely-of';
import type { Orm } from '@sluice/store/orm';
import { prepareDatabase } from '@sluice/store/prepare-database';
import { messageOf } from '@sluice/errors/message-of';
import type { Logger } from '@sluice/daemon/log/logger';
import type { Job } from '../jobs/job.ts';
import { registerJobs } from './register-jobs.ts';

/** Wait between two tries, in milliseconds. */
const TRY_AGAIN_MS = 1_000;

/**
 * Updates the schema and writes the table of jobs, once; tries again for as long as Postgres does not let it. Only at the start: of two versions that run side by side during an update the newer one has the last word.
 *
 * @returns false when the signal was aborted first
 */
export async function registerUntilDone(
  jobs: readonly Job[],
  options: { orm: Orm; logger: Logger; scheduled: boolean; signal: AbortSignal },
): Promise<boolean> {
  const { orm, logger, signal } = options;
  for (let lastError = ''; !signal.aborted;) {
    try {
      await prepareDatabase(orm, new Date());
      await registerJobs(kyselyOf(orm), jobs, options.scheduled);
      return true;
    } catch (error) {
      const message = messageOf(error);
      if (message !== lastError) logger.warn({ error: message }, 'job table not written; retrying');
      lastError = message;
    }
    await delay(TRY_AGAIN_MS, undefined, { signal }).catch(() => {});
  }
  return false;
}
