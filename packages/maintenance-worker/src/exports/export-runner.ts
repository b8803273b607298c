import { context as traceContext } from '@opentelemetry/api';
import { type Kysely, sql } from 'kysely';
import { Outage } from '@sluice/daemon/log/outage';
import { waitOrAbort } from '@sluice/daemon/retry/wait-or-abort';
import { contextOf } from '@sluice/daemon/telemetry/trace-context';
import { messageOf } from '@sluice/errors/message-of';
import type { WakeJob } from '@sluice/jobs/wake-queue';
import type { MaintenanceMetrics } from '../maintenance-metrics.ts';
import { startWakeRunner, type WakeRunner } from '../running/wake-runner.ts';
import { afterFailure, type Verdict } from './after-failure.ts';
import { type Attempt, type ExportContext, attemptExport } from './attempt-export.ts';
import { queueAgain } from './export-states.ts';
import type { ExportWebhook } from './export-webhook.ts';

/** Exports that one worker runs at the same time; each holds two connections to Postgres. */
export const EXPORTS_AT_ONCE = 2;

/** Wait before the outcome of an attempt is written to Postgres again, in milliseconds. */
const RETRY_MS = 1_000;

/** What an attempt reports to, besides what it needs itself. */
interface AttemptContext extends ExportContext {
  readonly webhook: ExportWebhook;
  readonly metrics: Pick<MaintenanceMetrics, 'exportEnded'>;
}

/**
 * Runs requested and scheduled exports, and those that a killed worker left unfinished. `stop` aborts running attempts;
 * the next start begins them from scratch.
 *
 * @param options.registered true once the schema is ready; nothing begins before
 */
export function runExports(
  options: AttemptContext & { redisUrl: string; namespace: string; registered: Promise<boolean> },
): WakeRunner {
  const { redisUrl, namespace, logger, registered, database } = options;
  return startWakeRunner({
    kind: 'export',
    redisUrl,
    namespace,
    logger,
    registered,
    atOnce: EXPORTS_AT_ONCE,
    work: (wake, signal) => attempt(wake, options, signal),
    async due() {
      const { rows } = await sql<{ id: string }>`
        SELECT id FROM export_runs
        WHERE state IN ('queued', 'running') AND trigger <> 'archive'
          AND (next_attempt_at IS NULL OR next_attempt_at <= clock_timestamp())
        ORDER BY created_at LIMIT 1000`.execute(database.db);
      return rows.map(({ id }) => id);
    },
  });
}

/** @returns milliseconds until the run is due again; 0 when it has ended or another worker has it */
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
  // The lock is free again, but the report about the attempt still belongs to its trace.
  return traceContext.with(contextOf(own), () => finish(id, outcome, { context, startedAt, signal }));
}

async function finish(
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
  if (signal.aborted) {
    // Without this the next start takes it for one whose worker died.
    await queueAgain(context.database.db, id).catch(() => {});
    return 0;
  }
  const verdict = await noteFailure(id, context, outcome.error, signal);
  if (verdict === null) return 0;
  const about = { run: id, error: messageOf(outcome.error) };
  if (verdict.state === 'failed') {
    metrics.exportEnded({ state: 'failed', seconds });
    logger.error(about, 'export failed; its window is retained, and a retry exports the same');
    await context.webhook.notify({ id });
  } else logger.warn({ ...about, wait_ms: Math.round(verdict.waitMs) }, 'export interrupted; retrying');
  return verdict.waitMs;
}

/** Writes the outcome of a failed attempt. Postgres may be unavailable, so this retries until it is back. */
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
      const { rows } = await sql<{ id: string; trigger: string; attempts: number; errorCode: string | null }>`
        SELECT id, trigger, attempts, error_code AS "errorCode" FROM export_runs WHERE id = ${id}::uuid`.execute(db);
      return rows[0] === undefined ? null : await afterFailure(db, rows[0], error);
    } catch (problem) {
      const reason = outage.news(problem);
      if (reason !== null)
        context.logger.warn({ run: id, error: reason }, 'outcome of an export not written; retrying');
      await waitOrAbort(RETRY_MS, signal);
    }
  }
  return null;
}
