import { readEnvironment } from '@sluice/daemon/config/read-environment';
import { startStateReports } from '@sluice/daemon/http/daemon-state';
import { startHealthServer } from '@sluice/daemon/http/health-server';
import { startLog } from '@sluice/daemon/log/start-log';
import { useMemoryProfile } from '@sluice/daemon/memory';
import { runUntilStopped, startOrExit } from '@sluice/daemon/run-daemon';
import { stop } from '@sluice/daemon/service';
import { createMetrics } from '@sluice/daemon/telemetry/metrics';
import { createPoolMetrics } from '@sluice/daemon/telemetry/pool-metrics';
import { messageOf } from '@sluice/errors/message-of';
import { openDatabase } from '@sluice/store/database';
import { LONGEST_TRANSACTION_MS } from '@sluice/store/time-limits';
import { KnownIds } from '@sluice/store/write/known-ids';
import { connectBlockingRedis, connectRedis } from '@sluice/stream/connect-redis';
import { statesIn } from '@sluice/stream/daemon-states';
import { streamKey } from '@sluice/stream/stream-keys';
import { type Batch, BatchBuffer } from './batch/batch-buffer.ts';
import { Breaker } from './batch/breaker.ts';
import type { Outcome } from './batch/outcome.ts';
import { processBatch } from './batch/process-batch.ts';
import { trySettling } from './batch/settle-batch.ts';
import { WRITER_VARIABLES, readWriterConfig } from './config.ts';
import { consumeWhenReady } from './fetch/consumer.ts';
import { tryReading } from './fetch/read-shard.ts';
import { runAlone } from './fetch/run-alone.ts';
import { untilPostgresAnswers } from './start/until-postgres-answers.ts';
import { BatchObserver } from './watch/batch-observer.ts';
import { liveCheck } from './watch/live-check.ts';
import { Progress } from './watch/progress.ts';
import { writerChecks } from './watch/writer-checks.ts';
import { createWriterMetrics } from './watch/writer-metrics.ts';
import { newWriterState, stallOf } from './watch/writer-state.ts';

/** Most bytes of JSON in one transaction's statement. */
const MAX_BATCH_BYTES = 4 * 1024 * 1024;
/** Time-out of Redis commands that answer at once, in milliseconds. */
const COMMAND_TIMEOUT_MS = 5_000;

await startOrExit('writer-worker', async () => {
  useMemoryProfile('bounded-new-space');
  const environment = readEnvironment();
  const config = readWriterConfig(environment);
  const logger = await startLog('writer-worker', config, environment, WRITER_VARIABLES, {
    consumer: config.WRITER_NAME,
  });

  const registry = createMetrics('writer-worker');
  const stopFetching = new AbortController();
  const stopWorking = new AbortController();

  const parts = new AsyncDisposableStack();
  const database = openDatabase({
    url: config.DATABASE_URL,
    schema: config.DATABASE_SCHEMA,
    poolSize: Math.max(config.DB_POOL_SIZE, config.WRITER_CONCURRENCY + 1),
    statementTimeoutMs: config.STATEMENT_TIMEOUT_MS,
    applicationName: 'sluice-writer',
    transactionTimeoutMs: LONGEST_TRANSACTION_MS,
    watchPool: createPoolMetrics(registry).watch('writer'),
  });
  parts.defer(() => database.close());
  const redis = connectRedis(config.REDIS_URL, { name: 'writer', logger, commandTimeoutMs: COMMAND_TIMEOUT_MS });
  parts.defer(() => redis.disconnect());

  const state = newWriterState();
  const breaker = new Breaker(stopWorking.signal);
  const progress = new Progress();
  const limits = {
    maxEvents: config.WRITER_BATCH_EVENTS,
    maxBytes: MAX_BATCH_BYTES,
    lingerMs: config.WRITER_LINGER_MS,
  };
  const buffer = new BatchBuffer(limits);
  const idsNotRead = (error: unknown): void =>
    logger.warn({ error: messageOf(error) }, 'ids of older segments could not be read; every id is looked up there');
  const known = new KnownIds(database, idsNotRead);
  const metrics = createWriterMetrics(registry, { state, breaker, buffer, progress, known });
  const shared = { database, redis, logger, state, metrics, progress, known, stopFetching: stopFetching.signal };
  const observer = new BatchObserver(shared);
  const processing = {
    ...shared,
    breaker,
    observer,
    consumer: config.WRITER_NAME,
    stopWorking: stopWorking.signal,
  };
  const process = (batch: Batch, stored?: () => void): Promise<Outcome> => processBatch(batch, processing, stored);
  const postgresAnswers = () => untilPostgresAnswers(database, stopFetching.signal, () => progress.moved());

  const live = { state, progress, buffer, timeoutMs: config.PROGRESS_TIMEOUT_MS, stopFetching: stopFetching.signal };
  const address = { host: config.HOST, port: config.WRITER_PORT };
  const shardKeys = Array.from({ length: config.STREAM_SHARDS }, (_, shard) =>
    streamKey(config.SLUICE_NAMESPACE, shard),
  );
  const tryShard = async (key: string): Promise<void> => {
    await tryReading(redis, key, config.WRITER_NAME);
    await trySettling(redis, key);
  };
  const checks = writerChecks({ redis, database, state, work: () => Promise.all(shardKeys.map(tryShard)) });
  const health = { ...address, registry, checks, live: () => liveCheck(live) };
  const { url } = parts.adopt(await startHealthServer(health), stop);
  const published = {
    daemon: 'writer-worker',
    name: config.WRITER_NAME,
    checks,
    stalled: () => stallOf(state),
    logger,
  };
  const reports = parts.adopt(startStateReports({ ...published, ...statesIn(redis, config.SLUICE_NAMESPACE) }), stop);

  const consuming = consumeWhenReady(database, {
    ...shared,
    // A failure shows at the first batch.
    onReady: () => known.refresh().catch(() => {}),
    openBlocking: (shard) => connectBlockingRedis(config.REDIS_URL, { name: `writer:${shard}`, logger }),
    buffer,
    namespace: config.SLUICE_NAMESPACE,
    shards: config.STREAM_SHARDS,
    consumer: config.WRITER_NAME,
    concurrency: config.WRITER_CONCURRENCY,
    limits,
    reclaimIdleMs: config.RECLAIM_IDLE_MS,
    deliveryLimit: config.DELIVERY_LIMIT,
    isShut: () => state.stalled !== null || breaker.isOpen,
    runAlone: (entry) => runAlone(entry, { redis, logger, process, postgresAnswers }),
    process,
  });
  parts.defer(async () => {
    stopFetching.abort();
    // What is in flight gets most of the time. Then all tries end, and the entries stay pending.
    const deadline = setTimeout(() => stopWorking.abort(), config.SHUTDOWN_TIMEOUT_MS * 0.8);
    await consuming;
    clearTimeout(deadline);
  });
  runUntilStopped(
    { url, parts, reports },
    { name: 'writer-worker', logger, shutdownTimeoutMs: config.SHUTDOWN_TIMEOUT_MS },
  );
});
