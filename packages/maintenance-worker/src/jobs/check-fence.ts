import { noteFirstCluster } from '@sluice/store/fence/clusters';
import { fenceAge } from '@sluice/store/fence/fence-age';
import { observeTransactions } from '@sluice/store/fence/observe-transactions';
import { hiddenRoles } from '@sluice/store/fence/open-transactions';
import { type Job, type JobContext, type JobResult, MINUTE_MS } from './job.ts';

/**
 * Notes which transactions are open, so that later windows can be pruned, and measures the age of the fence; a row is a
 * second. When the fence is old, an error in the log and the details of the run name the holders.
 */
export const checkFenceJob = {
  name: 'check-fence',
  description: 'Measures the age of the fence, in seconds, and who holds it back',
  schedule: { everyMs: MINUTE_MS },
  timeoutMs: MINUTE_MS,
  concurrency: 1,
  run: checkFence,
} satisfies Job;

/** From this age on, in seconds, the fence is an alarm: exports and roll-ups lack everything newer. */
const ALARM_SECONDS = 15 * 60;

async function checkFence({ database, logger }: JobContext): Promise<JobResult> {
  const db = database.db;
  await noteFirstCluster(db);
  await observeTransactions(db);
  const { seconds, holders } = await fenceAge(db);
  const hidden = await hiddenRoles(db);
  const age = Math.round(seconds);
  if (hidden.length > 0) {
    logger.warn(
      { roles: hidden },
      'exports read more than they need, because these roles hide when their transactions began; grant pg_read_all_stats',
    );
  }
  if (seconds > ALARM_SECONDS) {
    logger.error(
      { age_seconds: age, holders },
      'a long transaction holds the fence back: exports and roll-ups wait for it to end, in whichever database it is',
    );
  }
  return { rows: age, details: { age_seconds: age, holders, hidden_roles: hidden } };
}
