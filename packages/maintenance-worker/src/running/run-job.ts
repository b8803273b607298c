import type { Span } from '@opentelemetry/api';
import type { Kysely } from 'kysely';
import { waitOrAbort } from '@sluice/daemon/retry/wait-or-abort';
import { failSpan } from '@sluice/daemon/telemetry/in-span';
import { untraced } from '@sluice/daemon/telemetry/untraced';
import { messageOf } from '@sluice/errors/message-of';
import type { Job, JobContext, JobResult } from '../jobs/job.ts';
import type { MaintenanceMetrics } from '../maintenance-metrics.ts';
import { inSlot } from './job-slot.ts';
import type { RequestTraces } from './request-traces.ts';
import { type BegunRun, type EndOfRun, endRun, type RunSlot, showProgress } from './run-rows.ts';
import { inRunTrace } from './run-trace.ts';
import { staleAt } from './stale-at.ts';
import { type Timings, TIMINGS } from './timings.ts';

/**
 * Runs a job in a free slot, and writes its progress and its end to Postgres:
 *
 *     queued ──► running ──► succeeded
 *                  ├───────► failed      it threw, took longer than its time-out, or its worker died
 *                  └───────► cancelled   by an operator, or by an ordered stop of the worker
 *
 * A handler may ignore its signal. Then its run has failed and the worker continues with other jobs. Its slot stays
 * taken for as long as it really runs, so that never more run than the job allows.
 *
 * @param begin marks the run as running while the lock of its slot is held; null when there is nothing to run
 * @returns `busy` when every slot is taken, `idle` when there was nothing to run
 * @throws when Postgres cannot be reached; an error of a handler is in its run instead
 */
export async function runJob(
  job: Job,
  begin: (db: Kysely<unknown>, slot: RunSlot) => Promise<BegunRun | null>,
  runner: Runner,
): Promise<'busy' | 'idle' | 'ran'> {
  const timedOut = Promise.withResolvers<'ran'>();
  const held = inSlot(runner.context.database, job, async (db, slot) => {
    const run = await begin(db, { job: job.name, slot, worker: runner.worker });
    if (run === null) return 'idle' as const;
    const { stillRunning } = await traceRun(job, run, runner, (span) => runToItsEnd(job, run, { db, span, runner }));
    if (stillRunning === null) return 'ran' as const;
    timedOut.resolve('ran');
    await stillRunning;
    runner.context.logger.warn({ job: job.name, run: run.id }, 'timed-out job finally ended');
    return 'ran' as const;
  });
  return Promise.race([held, timedOut.promise]);
}

/** How often a run's progress is written and its state is read, in milliseconds. */
const BEAT_MS = 1_000;

/** What a worker runs jobs with. */
export interface Runner {
  readonly context: JobContext;
  readonly metrics: Pick<MaintenanceMetrics, 'runEnded'>;
  /** Traces of waiting requests. */
  readonly requests: RequestTraces;
  /** Host and process, for the history. */
  readonly worker: string;
  /** The ordered stop. */
  readonly stopping: AbortSignal;
  readonly timings?: Partial<Timings>;
}

/** Why a run should end. */
type Reason = 'time-out' | 'stop' | 'cancel' | 'lock lost';

/** Runs `work` in a trace of its own; a requested run also links to its request. */
function traceRun<T>(job: Job, run: BegunRun, runner: Runner, work: (span: Span) => Promise<T>): Promise<T> {
  const attributes = { 'sluice.job.name': job.name, 'sluice.run.id': run.id, 'sluice.run.trigger': run.trigger };
  return inRunTrace(`run ${job.name}`, { attributes, requestedBy: runner.requests.take(run.id) }, work);
}

/**
 * Runs the handler and writes its end. @returns the handler's promise when it did not end in time; null when it ended
 */
async function runToItsEnd(
  job: Job,
  run: BegunRun,
  { db, span, runner }: { db: Kysely<unknown>; span: Span; runner: Runner },
): Promise<{ stillRunning: Promise<unknown> | null }> {
  const { context, stopping } = runner;
  const { graceMs } = { ...TIMINGS, ...runner.timings };
  const log = context.logger;
  const startedAt = performance.now();
  const ending = new AbortController();
  let reason: Reason | null = null;
  const endFor = (why: Reason, message: string): void => {
    reason ??= why;
    ending.abort(new Error(message));
  };
  const onStop = (): void => endFor('stop', 'the worker was stopped');
  if (stopping.aborted) onStop();
  else stopping.addEventListener('abort', onStop, { once: true });
  const limit = setTimeout(() => endFor('time-out', `it took longer than ${job.timeoutMs / 1000} s`), job.timeoutMs);

  let done = 0;
  let expected: number | null = null;
  const handler = outcomeOf(() =>
    job.run(context, {
      id: run.id,
      input: run.input,
      signal: ending.signal,
      progress: (rows, of) => {
        done = rows;
        expected = of ?? expected;
      },
    }),
  );
  const ended = new AbortController();
  const beating = untraced(() =>
    beat(() => ({ rows: done, rowsExpected: expected }), { db, id: run.id, end: endFor, ended: ended.signal }),
  );
  const outcome = await Promise.race([handler, graceAfter(ending.signal, graceMs, ended.signal)]);
  clearTimeout(limit);
  stopping.removeEventListener('abort', onStop);
  ended.abort();
  await beating;

  const end = endOf(outcome, { job, reason, ending: ending.signal, rows: done, rowsExpected: expected });
  const durationMs = performance.now() - startedAt;
  const facts = { job: job.name, run: run.id, rows: end.rows, ...end.details, duration_ms: Math.round(durationMs) };
  if (end.state === 'failed') log.error({ ...facts, error: end.error, err: outcome?.error }, 'job failed');
  else if (end.state === 'succeeded') log.info(facts, 'job done');
  else log.info(facts, 'job cancelled');
  // Another connection than the lock's, which may be lost.
  const state = await endRun(context.database.db, { job: job.name, id: run.id }, end).catch((error: unknown) => {
    // The next holder of this slot marks the run as failed.
    runner.metrics.runEnded({ job: job.name, state: 'failed', seconds: durationMs / 1000, rows: end.rows });
    throw error;
  });
  runner.metrics.runEnded({ job: job.name, state, seconds: durationMs / 1000, rows: end.rows });
  span.setAttributes({ 'sluice.rows': end.rows, 'sluice.run.state': state });
  if (state === 'failed') failSpan(span, outcome?.error ?? end.error);
  return { stillRunning: outcome === null ? handler : null };
}

interface Outcome {
  readonly result?: JobResult;
  readonly error?: unknown;
}

async function outcomeOf(work: () => Promise<JobResult>): Promise<Outcome> {
  try {
    return { result: await work() };
  } catch (error) {
    return { error: error ?? new Error('nothing was thrown') };
  }
}

/** Resolves with null when a run that should end did not end in time; never resolves while it may run. */
async function graceAfter(ending: AbortSignal, graceMs: number, ended: AbortSignal): Promise<null> {
  await new Promise<void>((resolve) => {
    if (ending.aborted) resolve();
    else ending.addEventListener('abort', () => resolve(), { once: true });
  });
  await waitOrAbort(graceMs, ended);
  return null;
}

/** Writes progress every BEAT_MS. Ends the run when it was cancelled, or when its lock is lost with its connection. */
async function beat(
  progress: () => { rows: number; rowsExpected: number | null },
  run: { db: Kysely<unknown>; id: string; end: (why: Reason, message: string) => void; ended: AbortSignal },
): Promise<void> {
  let shown = '';
  for (;;) {
    await waitOrAbort(BEAT_MS, run.ended);
    if (run.ended.aborted) return;
    const now = progress();
    const text = `${now.rows}/${now.rowsExpected}`;
    try {
      const state = await showProgress(run.db, run.id, text === shown ? null : now);
      if (state !== 'running') run.end('cancel', `the run is ${state}`);
      shown = text;
    } catch (error) {
      run.end('lock lost', `its connection to PostgreSQL was lost: ${messageOf(error)}`);
      return;
    }
  }
}

function endOf(
  outcome: Outcome | null,
  run: { job: Job; reason: Reason | null; ending: AbortSignal; rows: number; rowsExpected: number | null },
): EndOfRun {
  const { result } = outcome ?? {};
  const shared = {
    rows: result?.rows ?? run.rows,
    rowsExpected: run.rowsExpected,
    details: result?.details ?? {},
  };
  if (run.reason !== null) {
    const why = messageOf(run.ending.reason);
    return {
      ...shared,
      state: run.reason === 'stop' || run.reason === 'cancel' ? 'cancelled' : 'failed',
      error: outcome === null ? `${why}, and it did not end when its signal was aborted` : why,
      staleAt: null,
    };
  }
  if (result === undefined) return { ...shared, state: 'failed', error: messageOf(outcome?.error), staleAt: null };
  return { ...shared, state: 'succeeded', error: null, staleAt: staleAt(run.job, new Date()) };
}
