import { rebaseExports } from '../exports/rebase-exports.ts';
import type { JobContext, JobResult } from './job.ts';

/** Lets scheduled exports go on after the data was restored into another cluster; a row is a tenant's last run of the old one. */
export async function rebaseExportsJob({ database, config, logger }: JobContext): Promise<JobResult> {
  const { runs, boundary } = await rebaseExports(database, database.db, config.exports);
  logger.info({ runs, boundary }, 'exports were rebased');
  return { rows: runs, details: { boundary } };
}
