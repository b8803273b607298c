import { context as traceContext } from '@opentelemetry/api';
import { Worker } from 'bullmq';
import { type Kysely, sql } from 'kysely';
import { messageOf } from '@sluice/errors/message-of';
import { EXPORTS_QUEUE, openExportJobs } from '@sluice/jobs/export-jobs';
import type { WakeJob } from '@sluice/jobs/wake-queue';
import { jobConnection, jobsPrefix } from '@sluice/jobs/job-queues';
import { contextOf } from '@sluice/daemon/telemetry/trace-context';
import { Outage } from '@sluice/daemon/log/outage';
import { waitOrAbort } from '@sluice/daemon/retry/wait-or-abort';
import type { MaintenanceMetrics } from '../maintenance-metrics.ts';
import { restAfterErrors } from '../running/rest-after-errors.ts';
import { afterFailure, type Verdict } from './after-failure.ts';
import { type Attempt, type ExportContext, attemptExport } from './attempt-export.ts';
import type { ExportWebhook } from './export-webhook.ts';

/** How often Postgres is asked for runs that nobody was woken for, in milliseconds. */
const SWEEP_MS = 30_000;

/** Runs that one worker has in motion; each holds two connections to Postgres. */
export const EXPORTS_AT_ONCE = 2;

/** Wait before Postgres is told again what came of a run, in milliseconds. */
const TRY_AGAIN_MS = 1_000;

/** What an attempt needs beside what runs it. */
interface AttemptContext extends ExportContext {
  readonly webhook: ExportWebhook;
  readonly metrics: Pick<MaintenanceMetrics, 'exportEnded'>;
}

/** Exports in motion. */
export interface RunningExports {
  /** Ends running attempts, which begin anew at the next start, and stops. */
  stop(): Promise<void>;
}

/**
 * Runs the exports that BullMQ brings, and every 30 s those that Postgres knows of: a job that was lost (FLUSHALL, a
 * Redis that was away when the export was asked for) delays a run, no more. What a killed worker left in the middle is
 * found the same way.
 *
 * @param options.registered true once the schema is there; nothing begins before
 */
export function runExports(
  options: AttemptContext & { redisUrl: string; namespace: string; registered: Promise<boolean> },
): RunningExports {
  const { redisUrl, namespace, logger } = options;
  const stopping = new AbortController();
  const timers = new Set<NodeJS.Timeout>();
  const jobs = openExportJobs({
    redisUrl,
    namespace,
    onError: (error) => logger.debug({ error: error.message }, 'BullMQ cannot reach Redis'),
  });
  const wakeSafely = ({ id, traceparent }: WakeJob): void => {
    // The next attempt is still what was asked for then.
    traceContext
      .with(contextOf(traceparent), () => jobs.wake(id))
      .catch((error: Error) => logger.warn({ run: id, error: error.message }, 'nobody could be woken for an export'));
  };
  const worker = new Worker<WakeJob>(
    EXPORTS_QUEUE,
    async ({ data }) => {
      const waitMs = await attempt(data, options, stopping.signal);
      // Longer waits are the sweep's, which has no timers to lose.
      if (waitMs === 0 || waitMs > SWEEP_MS || stopping.signal.aborted) return;
      const timer = setTimeout(() => {
        timers.delete(timer);
        wakeSafely(data);
      }, waitMs);
      timers.add(timer);
    },
    {
      connection: jobConnection(redisUrl),
      prefix: jobsPrefix(namespace),
      concurrency: EXPORTS_AT_ONCE,
      autorun: false,
    },
  );
  restAfterErrors(worker, logger);

  const sweep = async (): Promise<void> => {
    const { rows } = await sql<{ id: string }>`
      SELECT id FROM export_runs
      WHERE state IN ('queued', 'running') AND trigger <> 'archive'
        AND (next_attempt_at IS NULL OR next_attempt_at <= clock_timestamp())
      ORDER BY created_at LIMIT 1000`.execute(options.database.db);
    for (const { id } of rows) await jobs.wake(id);
  };
  const outage = new Outage();
  const sweepSafely = (): void => {
    sweep().then(
      () => outage.over(),
      (error: unknown) => {
        const reason = outage.news(error);
        if (reason !== null) logger.warn({ error: reason }, 'exports cannot be looked for; trying again');
      },
    );
  };
  let timer: NodeJS.Timeout | undefined;
  void options.registered.then((registered) => {
    if (!registered || stopping.signal.aborted) return;
    worker.run().catch((error: unknown) => logger.error({ err: error }, 'exports cannot be run'));
    sweepSafely();
    timer = setInterval(sweepSafely, SWEEP_MS);
  });

  return {
    async stop() {
      clearInterval(timer);
      stopping.abort(new Error('the worker stops'));
      await worker.close();
      for (const waiting of timers) clearTimeout(waiting);
      await jobs.close();
    },
  };
}

/** @returns after how long the run is due again, in milliseconds; 0 when it has ended or is somebody else's */
async function attempt({ id, traceparent }: WakeJob, context: AttemptContext, signal: AbortSignal): Promise<number> {
  const startedAt = performance.now();
  let own: string | null = null;
  const begun = (span: string | null): void => {
    own = span;
  };
  const outcome = await attemptExport(id, context, signal, { requestedBy: traceparent, begun }).catch(
    (error: unknown) => ({ state: 'broken', error }) as const,
  );
  if (outcome === null) return 0;
  // The lock is free again; what is told of the attempt is of its trace all the same.
  return traceContext.with(contextOf(own), () => settle(id, outcome, { context, startedAt, signal }));
}

async function settle(
  id: string,
  outcome: Attempt | { readonly state: 'broken'; readonly error: unknown },
  { context, startedAt, signal }: { context: AttemptContext; startedAt: number; signal: AbortSignal },
): Promise<number> {
  const { logger, metrics } = context;
  const durationMs = performance.now() - startedAt;
  const seconds = durationMs / 1000;
  if (outcome.state === 'succeeded') {
    const { tenant, rows, bytes } = outcome.manifest;
    metrics.exportEnded({ state: 'succeeded', seconds, rows, bytes });
    logger.info({ run: id, tenant, rows, bytes, duration_ms: Math.round(durationMs) }, 'exported');
    await context.webhook.notify({ id });
    return 0;
  }
  if (outcome.state === 'cancelled') {
    metrics.exportEnded({ state: 'cancelled', seconds });
    return 0;
  }
  // The row says running; the next start takes it from there.
  if (signal.aborted) return 0;
  const verdict = await noteFailure(id, context, outcome.error, signal);
  if (verdict === null) return 0;
  const about = { run: id, error: messageOf(outcome.error) };
  if (verdict.state === 'failed') {
    metrics.exportEnded({ state: 'failed', seconds });
    logger.error(about, 'an export failed; its window is kept, and a retry exports the same');
    await context.webhook.notify({ id });
  } else logger.warn({ ...about, wait_ms: Math.round(verdict.waitMs) }, 'an export met an error; it is tried again');
  return verdict.waitMs;
}

/** Postgres may be what was away: it is told when it is back. */
async function noteFailure(
  id: string,
  context: ExportContext,
  error: unknown,
  signal: AbortSignal,
): Promise<Verdict | null> {
  const outage = new Outage();
  while (!signal.aborted) {
    try {
      const db: Kysely<unknown> = context.database.db;
      const { rows } = await sql<{ id: string; trigger: string; attempts: number }>`
        SELECT id, trigger, attempts FROM export_runs WHERE id = ${id}::uuid`.execute(db);
      return rows[0] === undefined ? null : await afterFailure(db, rows[0], error);
    } catch (problem) {
      const reason = outage.news(problem);
      if (reason !== null)
        context.logger.warn({ run: id, error: reason }, 'Postgres cannot be told of an export; trying again');
      await waitOrAbort(TRY_AGAIN_MS, signal);
    }
  }
  return null;
}
