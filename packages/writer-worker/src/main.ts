import Fastify from 'fastify';
import { LONGEST_TRANSACTION_MS } from '@sluice/shared/database/longest-transaction';
import { createOrm } from '@sluice/shared/database/orm';
import { addHealthRoutes } from '@sluice/shared/runtime/health';
import { readEnvironment } from '@sluice/shared/runtime/read-environment';
import { runUntilStopped, startOrExit } from '@sluice/shared/runtime/run-daemon';
import { startLog } from '@sluice/shared/runtime/start-log';
import { connectBlockingRedis, connectRedis } from '@sluice/shared/stream/connect-redis';
import { addHealthMetrics } from '@sluice/shared/telemetry/health-metrics';
import { addMetricsRoute, createMetrics } from '@sluice/shared/telemetry/metrics';
import { createPoolMetrics } from '@sluice/shared/telemetry/pool-metrics';
import { readWriterConfig } from './config.ts';
import { type Batch, BatchBuffer } from './batch-buffer.ts';
import { Breaker } from './breaker.ts';
import { consume } from './consumer.ts';
import { liveCheck } from './live-check.ts';
import { type Outcome, processBatch } from './process-batch.ts';
import { prepareUntilReady } from './prepare-until-ready.ts';
import { Progress } from './progress.ts';
import { runAlone } from './run-alone.ts';
import { untilPostgresAnswers } from './until-postgres-answers.ts';
import { writerChecks } from './writer-checks.ts';
import { createWriterMetrics } from './writer-metrics.ts';
import { newWriterState } from './writer-state.ts';

/** Most bytes of JSON in one transaction's statement. */
const MAX_BATCH_BYTES = 4 * 1024 * 1024;
/** Redis commands that answer at once are given up after this long, in milliseconds. */
const COMMAND_TIMEOUT_MS = 5_000;

await startOrExit('writer-worker', async () => {
  const config = readWriterConfig(readEnvironment());
  const logger = await startLog('writer-worker', config, { consumer: config.WRITER_NAME });

  const state = newWriterState();
  const stopFetching = new AbortController();
  const stopWorking = new AbortController();
  const redis = connectRedis(config.REDIS_URL, { name: 'writer', logger, commandTimeoutMs: COMMAND_TIMEOUT_MS });
  const registry = createMetrics('writer-worker');
  const orm = await createOrm({
    url: config.DATABASE_URL,
    poolSize: Math.max(config.DB_POOL_SIZE, config.WRITER_CONCURRENCY + 1),
    statementTimeoutMs: config.STATEMENT_TIMEOUT_MS,
    applicationName: 'sluice-writer',
    transactionTimeoutMs: LONGEST_TRANSACTION_MS,
    watchPool: createPoolMetrics(registry).watch('writer'),
  });

  const breaker = new Breaker(stopWorking.signal);
  const progress = new Progress();
  const limits = {
    maxEvents: config.WRITER_BATCH_EVENTS,
    maxBytes: MAX_BATCH_BYTES,
    lingerMs: config.WRITER_LINGER_MS,
  };
  const buffer = new BatchBuffer(limits);
  const metrics = createWriterMetrics(registry, { state, breaker, buffer, progress });
  const processing = {
    orm,
    redis,
    logger,
    state,
    metrics,
    progress,
    breaker,
    stopFetching: stopFetching.signal,
    stopWorking: stopWorking.signal,
  };
  const store = (batch: Batch, stored?: () => void): Promise<Outcome> => processBatch(batch, processing, stored);

  const consuming = (async () => {
    if (!(await prepareUntilReady(orm, state, logger, stopFetching.signal))) return;
    await consume({
      redis,
      openBlocking: (shard) => connectBlockingRedis(config.REDIS_URL, { name: `writer:${shard}`, logger }),
      logger,
      state,
      metrics,
      progress,
      buffer,
      namespace: config.SLUICE_NAMESPACE,
      shards: config.STREAM_SHARDS,
      consumer: config.WRITER_NAME,
      concurrency: config.WRITER_CONCURRENCY,
      limits,
      reclaimIdleMs: config.RECLAIM_IDLE_MS,
      stopFetching: stopFetching.signal,
      deliveryLimit: config.DELIVERY_LIMIT,
      isShut: () => state.stalled !== null || breaker.isOpen,
      runAlone: (entry) =>
        runAlone(entry, {
          redis,
          logger,
          process: store,
          postgresAnswers: () => untilPostgresAnswers(orm, stopFetching.signal, () => progress.moved()),
        }),
      process: store,
    });
  })();

  const server = Fastify({ logger: false });
  const live = { state, progress, buffer, timeoutMs: config.PROGRESS_TIMEOUT_MS, stopFetching: stopFetching.signal };
  const checks = writerChecks({ redis, orm, state });
  addHealthMetrics(registry, checks);
  addHealthRoutes(server, checks, { live: () => liveCheck(live) });
  addMetricsRoute(server, registry);
  const url = await server.listen({ host: config.HOST, port: config.WRITER_PORT });

  runUntilStopped(
    {
      url,
      async stop() {
        stopFetching.abort();
        // What is in flight gets most of the time; then trying ends, and the entries stay pending.
        const deadline = setTimeout(() => stopWorking.abort(), config.SHUTDOWN_TIMEOUT_MS * 0.8);
        await consuming;
        clearTimeout(deadline);
        redis.disconnect();
        await Promise.all([server.close(), orm.close(true)]);
      },
    },
    { name: 'writer-worker', logger, shutdownTimeoutMs: config.SHUTDOWN_TIMEOUT_MS },
  );
});
