import { setTimeout as delay } from 'node:timers/promises';
import { SingleBar } from 'cli-progress';
import { type AnswerOf, type ApiClient, CommandError } from '@sluice/api-client/api-client';
import { EXIT } from '@sluice/api-client/exit-codes';
import { visible } from '@sluice/errors/visible';
import { leaveAloneOnInterrupt } from './leave-alone.ts';
import type { Output } from './output.ts';

/** A run as the API describes it. */
type RunStatus = AnswerOf<'get', '/api/jobs/runs/{id}'>;

const ENDED = new Set<RunStatus['state']>(['succeeded', 'failed', 'cancelled']);

/** Time between two checks, in milliseconds; a run writes its progress once a second. */
const CHECK_MS = 500;

/** Follows a run until it ends. Shows a bar in a terminal, else a line for each change of its state. */
export async function followRun(api: ApiClient, first: RunStatus, output: Output): Promise<RunStatus> {
  const bar =
    output.terminal && !output.json
      ? new SingleBar({ format: '{job} {bar} {rows} rows  {state}', hideCursor: true })
      : null;
  let run = first;
  bar?.start(1, 0, shownOf(run));
  const unfollow = leaveAloneOnInterrupt(bar, output, `Run ${run.id}`);
  if (bar === null) output.note(visible(`Run ${run.id} of ${run.job} is ${run.state}.`));
  try {
    while (!ENDED.has(run.state)) {
      await delay(CHECK_MS);
      const { state } = run;
      run = await readRun(api, run.id);
      // A job that does not know its total shows a full bar.
      bar?.setTotal(Math.max(1, run.rows_expected ?? run.rows));
      bar?.update(run.rows, shownOf(run));
      if (bar === null && run.state !== state && !ENDED.has(run.state)) output.note(`It is ${run.state}.`);
    }
  } finally {
    unfollow();
    bar?.stop();
  }
  return run;
}

/** The text around the bar. A job may not know how many rows there are. */
function shownOf({ job, state, rows, rows_expected: of }: RunStatus): { job: string; state: string; rows: string } {
  return {
    job: visible(job),
    state: visible(state),
    rows: of === null ? rows.toLocaleString('en') : `${rows.toLocaleString('en')}/${of.toLocaleString('en')}`,
  };
}

async function readRun(api: ApiClient, id: string): Promise<RunStatus> {
  try {
    return await api.call('get', '/api/jobs/runs/{id}', { path: { id } });
  } catch (error) {
    if (error instanceof CommandError && error.exitCode === EXIT.unreachable) {
      throw new CommandError(
        `The query API stopped answering before the run ended; run ${id} continues on the server.`,
        EXIT.unreachable,
      );
    }
    throw error;
  }
}
