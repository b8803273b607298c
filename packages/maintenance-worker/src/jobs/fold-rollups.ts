import { PROJECTIONS } from '@sluice/projections/all-projections';
import { foldLive } from '@sluice/projections/fold/fold-live';
import { type Job, type JobContext, type JobResult, type JobRun, MINUTE_MS } from './job.ts';

/** Adds the events stored since the last run to the roll-ups and the sessions. */
export const foldRollupsJob = {
  name: 'fold-rollups',
  description: 'Adds newly stored events to roll-ups and sessions',
  schedule: { everyMs: 10_000 },
  timeoutMs: 5 * MINUTE_MS,
  concurrency: 1,
  run: foldRollups,
} satisfies Job;

/** After this long, in milliseconds, the rest of a backlog is left to the next run, so that each run ends. */
const LONGEST_RUN_MS = 60_000;

async function foldRollups({ database }: JobContext, run: JobRun): Promise<JobResult> {
  const endAt = performance.now() + LONGEST_RUN_MS;
  const { events, end } = await foldLive(database, PROJECTIONS, {
    goOn: () => !run.signal.aborted && performance.now() < endAt,
    onEvents: (done) => run.progress(done),
  });
  return { rows: events, details: { end } };
}
