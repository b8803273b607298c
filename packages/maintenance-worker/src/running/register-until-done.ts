import type { Logger } from '@sluice/daemon/log/logger';
import { Outage } from '@sluice/daemon/log/outage';
import type { Backoff } from '@sluice/daemon/retry/backoff';
import { retry } from '@sluice/daemon/retry/retry';
import type { Database } from '@sluice/store/database';
import { prepareUntilReady } from '@sluice/store/prepare-until-ready';
import type { Job } from '../jobs/job.ts';
import { registerJobs } from './register-jobs.ts';

const BACKOFF: Backoff = { initialMs: 1_000, maxMs: 1_000 };

/**
 * Updates the schema and writes the table of jobs; retries until Postgres accepts both. Only at the start: of two
 * versions that run at the same time during an update, the newer one writes last.
 *
 * @returns false when the signal was aborted first
 */
export async function registerUntilDone(
  jobs: readonly Job[],
  options: { database: Database; logger: Logger; scheduled: boolean; signal: AbortSignal },
): Promise<boolean> {
  const { database, logger, signal } = options;
  if (!(await prepareUntilReady(database, logger, signal))) return false;
  const outage = new Outage();
  const register = async (): Promise<true> => {
    await registerJobs(database.db, jobs, options.scheduled);
    return true;
  };
  const registered = await retry(register, {
    backoff: BACKOFF,
    signal,
    onFailure(error) {
      const reason = outage.news(error);
      if (reason !== null) logger.warn({ error: reason }, 'job table not written; retrying');
    },
  });
  return registered ?? false;
}
