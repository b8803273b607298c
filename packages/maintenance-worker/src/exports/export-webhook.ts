import { SpanKind } from '@opentelemetry/api';
import { Queue, Worker } from 'bullmq';
import { sql } from 'kysely';
import type { Logger } from '@sluice/daemon/log/logger';
import { withTimeout } from '@sluice/daemon/retry/with-timeout';
import { activeTraceparent } from '@sluice/daemon/telemetry/trace-context';
import { untraced } from '@sluice/daemon/telemetry/untraced';
import { messageOf } from '@sluice/errors/message-of';
import { bullmqConnection, bullmqPrefix } from '@sluice/jobs/bullmq-connection';
import type { Database } from '@sluice/store/database';
import { isoTime } from '@sluice/store/iso-time';
import type { MaintenanceMetrics } from '../maintenance-metrics.ts';
import { restAfterErrors } from '../running/rest-after-errors.ts';
import { inRunTrace } from '../running/run-trace.ts';
import { type Timings, TIMINGS } from '../running/timings.ts';
import { type Delivery, postWebhook, type WebhookTarget } from './post-webhook.ts';

/** Name of the BullMQ queue. Notices wait in it, so they survive a restart of the worker. */
const QUEUE = 'export-webhooks';

/** Deliveries of one notice. The wait doubles, so the last one is about ten minutes after the first. */
const ATTEMPTS = 8;

/** How long Redis may take to accept a notice before the run continues without it, in milliseconds. */
const ADD_TIMEOUT_MS = 1_000;

/** A delivered notice is remembered this long, in seconds, so that a run that ends twice sends it once. */
const REMEMBER_SECONDS = 24 * 3_600;

/** Notifies a customer's receiver of each export that succeeded or failed. */
export interface ExportWebhook {
  /**
   * Queues the notice of an ended run, once per outcome, however often it is called. Never throws and never waits
   * longer than a second: a webhook that can't be reached must not fail an export.
   */
  notify(run: { readonly id: string }): Promise<void>;
  close(): Promise<void>;
}

/** The webhook when EXPORT_WEBHOOK_URL is unset. */
export const NO_WEBHOOK: ExportWebhook = { notify: async () => {}, close: async () => {} };

export function createExportWebhook(options: {
  readonly target: WebhookTarget;
  readonly database: Database;
  readonly redisUrl: string;
  readonly namespace: string;
  readonly logger: Logger;
  readonly metrics: Pick<MaintenanceMetrics, 'webhookTried'>;
  readonly timings?: Partial<Timings>;
}): ExportWebhook {
  const { target, database, logger } = options;
  const { redeliverMs } = { ...TIMINGS, ...options.timings };
  const shared = { connection: bullmqConnection(options.redisUrl), prefix: bullmqPrefix(options.namespace) };
  const queue = new Queue<Delivery>(QUEUE, {
    ...shared,
    defaultJobOptions: {
      attempts: ATTEMPTS,
      backoff: { type: 'exponential', delay: redeliverMs, jitter: 0.2 },
      removeOnComplete: { age: REMEMBER_SECONDS },
      removeOnFail: { age: 7 * REMEMBER_SECONDS },
    },
  });
  const worker = new Worker<Delivery>(QUEUE, async (job) => deliver(target, job.data, options.metrics), {
    ...shared,
    concurrency: 4,
  });
  queue.on('error', (error) => logger.debug({ error: error.message }, 'BullMQ cannot reach Redis'));
  restAfterErrors(worker, logger);
  worker.on('completed', ({ data }) => logger.info({ delivery: data.id }, 'webhook delivered'));
  worker.on('failed', (job, error) => {
    const left = ATTEMPTS - (job?.attemptsMade ?? 0);
    const about = { delivery: job?.data.id, error: error.message, attempts_left: left };
    if (left > 0) logger.warn(about, 'webhook not delivered; retrying');
    else logger.error(about, 'webhook not delivered; given up');
  });

  return {
    async notify({ id }) {
      try {
        const delivery = await noticeOf(database, id);
        if (delivery === null) return;
        const notice = { ...delivery, traceparent: activeTraceparent() };
        const added = untraced(() => queue.add('notice', notice, { jobId: notice.id }));
        await withTimeout(added, ADD_TIMEOUT_MS, { message: `Redis did not take it within ${ADD_TIMEOUT_MS} ms` });
      } catch (error) {
        logger.warn({ run: id, error: messageOf(error) }, 'webhook notice not queued');
      }
    },
    async close() {
      await Promise.all([worker.close(), queue.close()]);
    },
  };
}

/**
 * Makes one attempt, in a trace of its own. The trace names only the host of the URL: path and query may be secrets.
 */
async function deliver(
  target: WebhookTarget,
  delivery: Delivery,
  metrics: Pick<MaintenanceMetrics, 'webhookTried'>,
): Promise<void> {
  const { hostname, port, protocol } = new URL(target.url);
  const attributes = {
    'http.request.method': 'POST',
    'server.address': hostname,
    'server.port': Number(port || (protocol === 'https:' ? 443 : 80)),
    'sluice.webhook.event': delivery.event,
    'sluice.webhook.delivery': delivery.id,
  };
  const trace = { kind: SpanKind.CLIENT, attributes, requestedBy: delivery.traceparent };
  try {
    await inRunTrace('deliver webhook', trace, () => postWebhook(target, delivery));
    metrics.webhookTried('delivered');
  } catch (error) {
    metrics.webhookTried('failed');
    throw error;
  }
}

interface Row {
  id: string;
  tenant: string;
  trigger: string;
  state: 'succeeded' | 'failed';
  format: string;
  compression: string;
  since: string | null;
  until: string | null;
  rows: string;
  bytes: string;
  manifest_key: string | null;
  attempts: number;
  error_code: string | null;
  error: string | null;
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
}

/** Reads the notice of a run from Postgres. @returns null when the run has not ended, or was cancelled */
async function noticeOf(database: Database, id: string): Promise<Delivery | null> {
  const { rows } = await sql<Row>`
    SELECT id, tenant, trigger, state, format, compression, rows_done AS rows, bytes_done AS bytes, manifest_key, attempts,
           error_code, error, ${isoTime('since')} AS since, ${isoTime('until')} AS until, ${isoTime('created_at')} AS created_at, ${isoTime('started_at')} AS started_at,
           ${isoTime('finished_at')} AS finished_at
    FROM export_runs WHERE id = ${id}::uuid AND state IN ('succeeded', 'failed')`.execute(database.db);
  const row = rows[0];
  if (row === undefined) return null;
  const event = `export.${row.state}`;
  // A run that failed, was retried and failed again has ended twice.
  const delivery = `${row.id}-${row.state}-${row.finished_at === null ? 0 : Date.parse(row.finished_at)}`;
  const run = { ...row, rows: Number(row.rows), bytes: Number(row.bytes) };
  return { id: delivery, event, body: JSON.stringify({ id: delivery, event, run }) };
}
