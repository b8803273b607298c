import type { Logger } from '@sluice/daemon/log/logger';
import type { Service } from '@sluice/daemon/service';
import type { Database } from '@sluice/store/database';
import type { MaintenanceConfig } from '../config.ts';
import type { MaintenanceMetrics } from '../maintenance-metrics.ts';
import { runExports } from './export-runner.ts';
import { createExportWebhook, NO_WEBHOOK } from './export-webhook.ts';

/** How long the webhook may take to answer, in milliseconds. */
const WEBHOOK_TIMEOUT_MS = 10_000;

/** Bytes of an exported file before the next one begins. */
const MAX_FILE_BYTES = 256 * 1024 * 1024;

/**
 * Starts running exports and, where a webhook is set, notifying it.
 *
 * @param options.database for short statements
 * @param options.exportsDatabase with connections of its own: statements of exports take longer than all others
 * @param options.registered true once the schema is ready; nothing begins before
 */
export function startExports(options: {
  config: MaintenanceConfig;
  database: Database;
  exportsDatabase: Database;
  logger: Logger;
  metrics: MaintenanceMetrics;
  registered: Promise<boolean>;
}): Service {
  const { config, database, exportsDatabase, ...shared } = options;
  const queue = { ...shared, redisUrl: config.REDIS_URL, namespace: config.SLUICE_NAMESPACE };
  const { allowPrivate } = config.exports;
  const webhook =
    config.webhook === null
      ? NO_WEBHOOK
      : createExportWebhook({
          ...queue,
          database,
          target: { ...config.webhook, allowPrivate, timeoutMs: WEBHOOK_TIMEOUT_MS },
        });
  const exports = runExports({
    ...queue,
    database: exportsDatabase,
    settings: config.exports,
    maxFileBytes: MAX_FILE_BYTES,
    webhook,
  });
  return {
    async stop() {
      await Promise.all([exports.stop(), webhook.close()]);
    },
  };
}
