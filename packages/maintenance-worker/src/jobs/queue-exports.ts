import { wakeOrWarn } from '@sluice/jobs/wake-or-warn';
import { openWakeQueue } from '@sluice/jobs/wake-queue';
import { queueDueExports } from '../exports/queue-due-exports.ts';
import { type Job, type JobContext, type JobResult, type JobRun, MINUTE_MS } from './job.ts';

/** Queues the exports that are due; a row is a run. */
export const queueExportsJob = {
  name: 'queue-exports',
  description: 'Queues a run for every tenant whose export is due',
  schedule: { everyMs: MINUTE_MS },
  timeoutMs: 5 * MINUTE_MS,
  concurrency: 1,
  run: queueExports,
} satisfies Job;

async function queueExports({ database, config, logger }: JobContext, { signal }: JobRun): Promise<JobResult> {
  const knownSince = new Date(performance.timeOrigin);
  const { runs, failures } = await queueDueExports(database, { settings: config.exports, knownSince, signal });
  if (runs.length > 0) await wakeExports(runs, { config, logger });
  if (failures.length > 0) throw new Error(`not exported by schedule: ${failures.join('; ')}`);
  return { rows: runs.length };
}

async function wakeExports(runs: readonly string[], { config, logger }: Pick<JobContext, 'config' | 'logger'>) {
  const exports = openWakeQueue('export', {
    redisUrl: config.REDIS_URL,
    namespace: config.SLUICE_NAMESPACE,
    onError: (error) => logger.debug({ error: error.message }, 'BullMQ cannot reach Redis'),
  });
  try {
    // One wake-up that Redis does not accept shows that it is unavailable; the sweep finds the other runs.
    for (const id of runs) if (!(await wakeOrWarn(exports, id, logger))) break;
  } finally {
    await exports.close();
  }
}
