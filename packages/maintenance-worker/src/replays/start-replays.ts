import type { Redis } from 'ioredis';
import type { Logger } from '@sluice/daemon/log/logger';
import type { Service } from '@sluice/daemon/service';
import type { Database } from '@sluice/store/database';
import { createStreamProducer } from '@sluice/stream/stream-producer';
import type { MaintenanceConfig } from '../config.ts';
import type { MaintenanceMetrics } from '../maintenance-metrics.ts';
import { runReplays } from './replay-runner.ts';

/** How long Redis may take for one step of a replay, in milliseconds. */
const WAIT_TIMEOUT_MS = 1_000;

/**
 * Starts running replays: puts dead letters back on the stream.
 *
 * @param options.registered true once the schema is ready; nothing begins before
 */
export function startReplays(options: {
  config: MaintenanceConfig;
  database: Database;
  redis: Redis;
  logger: Logger;
  metrics: MaintenanceMetrics;
  registered: Promise<boolean>;
}): Service {
  const { config, ...shared } = options;
  const namespace = config.SLUICE_NAMESPACE;
  const producer = createStreamProducer({
    redis: shared.redis,
    // A dead letter stays in Postgres until it is settled, so its entry need not survive Redis: do not wait for fsync.
    waiting: shared.redis,
    namespace,
    shards: config.STREAM_SHARDS,
    plan: () => ({ level: 'memory', waitAof: null, warning: null }),
    waitTimeoutMs: WAIT_TIMEOUT_MS,
  });
  return runReplays({ ...shared, producer, namespace, redisUrl: config.REDIS_URL });
}
