import { inTransaction } from '@sluice/store/transaction';
import { dropRetired } from '@sluice/projections/counts/drop-retired';
import { fold } from '@sluice/projections/counts/fold';
import { beginGeneration, lockGenerations } from '@sluice/projections/counts/generations';
import { summarizeNewBlocks } from '@sluice/projections/counts/summarize-new-blocks';
import { type Job, type JobContext, type JobResult, type JobRun, MINUTE_MS } from './job.ts';

/** Adds what was stored since the last run to the roll-ups. */
export const foldRollupsJob = {
  name: 'fold-rollups',
  description: 'Adds newly stored events to the roll-ups',
  schedule: { everyMs: 10_000 },
  timeoutMs: 5 * MINUTE_MS,
  concurrency: 1,
  run: foldRollups,
} satisfies Job;

/** A backlog is left to the next run after this long, in milliseconds, so that runs end by themselves. */
const LONGEST_RUN_MS = 60_000;

async function foldRollups({ database }: JobContext, run: JobRun): Promise<JobResult> {
  const endAt = performance.now() + LONGEST_RUN_MS;
  const goOn = (): boolean => !run.signal.aborted && performance.now() < endAt;
  await inTransaction(database, async (db) => {
    const generations = await lockGenerations(db);
    if (!generations.some(({ state }) => state === 'live')) await beginGeneration(db, 'live');
  });
  await summarizeNewBlocks(database, new Date());
  const { events, end } = await fold(database, 'live', { goOn, onEvents: (done) => run.progress(done) });
  await dropRetired(database, goOn);
  return { rows: events, details: { end } };
}
