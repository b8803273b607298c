import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import Fastify from 'fastify';
import { APPLICATION_NAMES } from '@sluice/store/application-names';
import { openDatabase } from '@sluice/store/database';
import { postgresCheck } from '@sluice/store/postgres-check';
import { addHealthRoutes } from '@sluice/daemon/http/health';
import { readEnvironment } from '@sluice/daemon/config/read-environment';
import { runUntilStopped, startOrExit } from '@sluice/daemon/run-daemon';
import { startLog } from '@sluice/daemon/log/start-log';
import { connectRedis } from '@sluice/stream/connect-redis';
import { redisCheck } from '@sluice/stream/redis-check';
import { createStreamProducer } from '@sluice/stream/stream-producer';
import { addHealthMetrics } from '@sluice/daemon/http/health-metrics';
import { addMetricsRoute, createMetrics } from '@sluice/daemon/telemetry/metrics';
import { createPoolMetrics } from '@sluice/daemon/telemetry/pool-metrics';
import { readMaintenanceConfig } from './config.ts';
import { addDatabaseMetrics } from './database-metrics.ts';
import { partitionsCheck } from './jobs/check-partitions.ts';
import { EXPORT_TIMEOUT_MS } from './exports/read-in-batches.ts';
import { EXPORTS_AT_ONCE, runExports } from './exports/export-runner.ts';
import { createExportWebhook, NO_WEBHOOK } from './exports/export-webhook.ts';
import { limitGarbage } from './limit-garbage.ts';
import { createMaintenanceMetrics } from './maintenance-metrics.ts';
import { REPLAYS_AT_ONCE, runReplays } from './replays/replay-runner.ts';
import { REQUESTED_AT_ONCE, runRequests } from './running/request-runner.ts';
import { runSchedules, SCHEDULED_AT_ONCE } from './running/run-schedules.ts';
import { createRequestTraces } from './running/request-traces.ts';
import type { Runner } from './running/run-job.ts';
import { allJobs } from './jobs/all-jobs.ts';
import { registerUntilDone } from './running/register-until-done.ts';
import { schedulesCheck } from './running/stale-jobs.ts';

/** Redis commands are given up after this long, in milliseconds. */
const COMMAND_TIMEOUT_MS = 1_000;

/** How long the webhook may take to answer, in milliseconds. */
const WEBHOOK_TIMEOUT_MS = 10_000;

/** Bytes of an exported file before the next one is begun. */
const MAX_FILE_BYTES = 256 * 1024 * 1024;

await startOrExit('maintenance-worker', async () => {
  limitGarbage();
  const config = readMaintenanceConfig(readEnvironment());
  const logger = await startLog('maintenance-worker', config);
  const registry = createMetrics('maintenance-worker');
  const pools = createPoolMetrics(registry);
  const database = openDatabase({
    url: config.DATABASE_URL,
    // Each replay keeps one connection, and each run of a job one with its lock beside the one that it works on.
    poolSize: Math.max(config.DB_POOL_SIZE, REPLAYS_AT_ONCE + 2 * (SCHEDULED_AT_ONCE + REQUESTED_AT_ONCE) + 1),
    statementTimeoutMs: config.STATEMENT_TIMEOUT_MS,
    applicationName: APPLICATION_NAMES.maintenance,
    watchPool: pools.watch('maintenance'),
  });
  const redis = connectRedis(config.REDIS_URL, {
    name: 'maintenance',
    logger,
    commandTimeoutMs: COMMAND_TIMEOUT_MS,
    autoPipelining: true,
  });
  const stopping = new AbortController();
  const jobs = allJobs(config);
  const metrics = createMaintenanceMetrics(
    registry,
    jobs.map(({ name }) => name),
  );
  addDatabaseMetrics(registry, database);
  const runner: Runner = {
    context: { database, redis, config, logger },
    metrics,
    requests: createRequestTraces(),
    worker: `${hostname()}:${process.pid}`,
    stopping: stopping.signal,
  };
  const scheduled = config.ENABLE_BACKGROUND_TASKS === 'true';
  const registered = registerUntilDone(jobs, { database, logger, scheduled, signal: stopping.signal });
  const queue = { redisUrl: config.REDIS_URL, namespace: config.SLUICE_NAMESPACE, runner, registered };
  const requests = runRequests(jobs, queue);
  const schedules = scheduled ? runSchedules(jobs, queue) : null;
  if (schedules === null)
    logger.warn('ENABLE_BACKGROUND_TASKS=false: no job runs by schedule; replays and requested runs do');

  // A letter stays in Postgres until it is settled there, so its entry need not survive Redis.
  const producer = createStreamProducer({
    redis,
    // Nothing waits: the plan below asks for no fsync.
    waiting: redis,
    namespace: config.SLUICE_NAMESPACE,
    shards: config.STREAM_SHARDS,
    plan: () => ({ level: 'memory', waitAof: null, warning: null }),
    waitTimeoutMs: COMMAND_TIMEOUT_MS,
  });
  const replays = runReplays({
    redisUrl: config.REDIS_URL,
    namespace: config.SLUICE_NAMESPACE,
    database,
    redis,
    producer,
    logger,
    metrics,
    registered,
  });

  const webhook =
    config.webhook === null
      ? NO_WEBHOOK
      : createExportWebhook({
          target: { ...config.webhook, allowPrivate: config.exports.allowPrivate, timeoutMs: WEBHOOK_TIMEOUT_MS },
          database,
          redisUrl: config.REDIS_URL,
          namespace: config.SLUICE_NAMESPACE,
          logger,
          metrics,
        });
  // Connections of their own: their statements may take longer than any other's. Two for each run, its lock and its
  // rows, and one for what is asked in between.
  const exportsDatabase = openDatabase({
    url: config.DATABASE_URL,
    poolSize: 2 * EXPORTS_AT_ONCE + 1,
    statementTimeoutMs: EXPORT_TIMEOUT_MS,
    applicationName: APPLICATION_NAMES.maintenance,
    watchPool: pools.watch('exports'),
  });
  const exports = runExports({
    redisUrl: config.REDIS_URL,
    namespace: config.SLUICE_NAMESPACE,
    database: exportsDatabase,
    settings: config.exports,
    maxFileBytes: MAX_FILE_BYTES,
    webhook,
    logger,
    metrics,
    registered,
  });

  const server = Fastify({ logger: false });
  const checks = [
    redisCheck(redis),
    postgresCheck(database),
    partitionsCheck(database),
    ...(schedules === null ? [] : [schedulesCheck(schedules.state)]),
  ];
  addHealthMetrics(registry, checks);
  addHealthRoutes(server, checks);
  addMetricsRoute(server, registry);
  const url = await server.listen({ host: config.HOST, port: config.MAINTENANCE_PORT });

  runUntilStopped(
    {
      url,
      async stop() {
        // BullMQ waits for Redis to take its goodbyes, 15 s each; a Redis that is away must not make this a forced end.
        const patience = delay(config.SHUTDOWN_TIMEOUT_MS * 0.6, undefined, { ref: false });
        stopping.abort();
        await Promise.race([
          Promise.all([schedules?.stop(), requests.stop(), replays.stop(), exports.stop(), webhook.close()]),
          patience,
        ]);
        redis.disconnect();
        await server.close();
        await Promise.all([database.close(), exportsDatabase.close()]);
      },
    },
    { name: 'maintenance-worker', logger, shutdownTimeoutMs: config.SHUTDOWN_TIMEOUT_MS },
  );
});
