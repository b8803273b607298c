import { setTimeout as delay } from 'node:timers/promises';
import { withStoredKeys } from '@sluice/access/key-ring';
import { APPLICATION_NAMES } from '@sluice/store/application-names';
import { openDatabase } from '@sluice/store/database';
import { openExportJobs } from '@sluice/jobs/export-jobs';
import { openReplayJobs } from '@sluice/jobs/replay-jobs';
import { openRunRequests } from '@sluice/jobs/run-requests';
import { readEnvironment } from '@sluice/daemon/config/read-environment';
import { runUntilStopped, startOrExit } from '@sluice/daemon/run-daemon';
import { startLog } from '@sluice/daemon/log/start-log';
import { withTimeout } from '@sluice/daemon/retry/with-timeout';
import { connectRedis } from '@sluice/stream/connect-redis';
import { readRedisMemory } from '@sluice/stream/redis-memory';
import { addHealthMetrics } from '@sluice/daemon/http/health-metrics';
import { createMetrics } from '@sluice/daemon/telemetry/metrics';
import { createPoolMetrics } from '@sluice/daemon/telemetry/pool-metrics';
import { readQueryConfig } from './config.ts';
import { dataAgeOf, startReplicaLagMeter } from './data-age.ts';
import { startDrainMeter } from './queue/drain-meter.ts';
import { callerOf } from './keys/operator-keys.ts';
import { queryChecks } from './query-checks.ts';
import { createQueryMetrics } from './query-metrics.ts';
import { readQueue } from './queue/read-queue.ts';
import { buildServer } from './server.ts';
import { syncKeys } from './keys/sync-keys.ts';
import { createLiveTail } from './tail/live-tail.ts';

/** Redis commands are given up after this long, in milliseconds. */
const COMMAND_TIMEOUT_MS = 1_000;

/** How long the start waits for the stored keys before it goes on without, in milliseconds. */
const KEYS_WAIT_MS = 2_000;

/** How long Postgres may take for the stored keys, in milliseconds: a part of the 30 s in which a revoked key stops. */
const KEYS_TIMEOUT_MS = 3_000;

await startOrExit('query-api', async () => {
  const config = readQueryConfig(readEnvironment());
  const logger = await startLog('query-api', config);
  if (config.configuredKeys.open) {
    logger.warn(
      'QUERY API RUNS OPEN: neither API_KEY nor OPERATOR_KEYS is set, so anybody who reaches this port may read every event and replay dead letters',
    );
  }
  const registry = createMetrics('query-api');
  const pools = createPoolMetrics(registry);
  const options = {
    url: config.DATABASE_URL,
    poolSize: config.DB_POOL_SIZE,
    statementTimeoutMs: config.STATEMENT_TIMEOUT_MS,
    applicationName: APPLICATION_NAMES.query,
  };
  const database = openDatabase({ ...options, watchPool: pools.watch('query') });
  const readDatabase =
    config.DATABASE_READ_URL === undefined
      ? database
      : openDatabase({
          ...options,
          url: config.DATABASE_READ_URL,
          applicationName: APPLICATION_NAMES.queryRead,
          watchPool: pools.watch('read'),
        });
  const redis = connectRedis(config.REDIS_URL, { name: 'query', logger, commandTimeoutMs: COMMAND_TIMEOUT_MS });
  const queue = {
    redisUrl: config.REDIS_URL,
    namespace: config.SLUICE_NAMESPACE,
    onError: (error: Error) => logger.debug({ error: error.message }, 'BullMQ cannot reach Redis'),
  };
  const replayJobs = openReplayJobs(queue);
  const runRequests = openRunRequests(queue);
  const exportJobs = openExportJobs(queue);
  const drainMeter = startDrainMeter({
    redis,
    logger,
    namespace: config.SLUICE_NAMESPACE,
    shards: config.STREAM_SHARDS,
  });

  const replicaLag = readDatabase === database ? null : startReplicaLagMeter(readDatabase.db, logger);
  const liveTail = createLiveTail({ database, logger });
  createQueryMetrics(registry, {
    async readRedis() {
      const [shards, memory] = await Promise.all([
        readQueue(redis, config.SLUICE_NAMESPACE, config.STREAM_SHARDS),
        readRedisMemory(redis),
      ]);
      return { shards, memory };
    },
    drainMeter,
    liveTail,
  });

  const keysDatabase = openDatabase({
    ...options,
    poolSize: 1,
    statementTimeoutMs: KEYS_TIMEOUT_MS,
    applicationName: APPLICATION_NAMES.queryKeys,
    watchPool: pools.watch('keys'),
  });
  const syncedKeys = syncKeys({
    database: keysDatabase,
    redis,
    logger,
    namespace: config.SLUICE_NAMESPACE,
    refreshMs: config.KEY_REFRESH_MS,
  });
  await withTimeout(syncedKeys.refresh(), KEYS_WAIT_MS).catch(() => {});

  const checks = queryChecks({ redis, database, readDatabase, config, storedKeys: syncedKeys.keys });
  addHealthMetrics(registry, checks);
  let stopping = false;
  const server = await buildServer({
    config,
    keys: withStoredKeys(config.configuredKeys, syncedKeys.keys, callerOf),
    syncedKeys,
    database,
    readDatabase,
    redis,
    replayJobs,
    runRequests,
    exportJobs,
    drainMeter,
    liveTail,
    dataAge: dataAgeOf(drainMeter, replicaLag),
    logger,
    registry,
    checks,
    isStopping: () => stopping,
  });
  const url = await server.listen({ host: config.HOST, port: config.QUERY_PORT });

  runUntilStopped(
    {
      url,
      async stop() {
        stopping = true;
        const tailEnded = liveTail.stop();
        // Answers that are on their way are finished; a download that takes longer than this is cut.
        const deadline = setTimeout(() => server.server.closeAllConnections(), config.SHUTDOWN_TIMEOUT_MS * 0.8);
        await server.close();
        clearTimeout(deadline);
        // BullMQ waits for Redis to take its goodbyes; a Redis that is away must not make this a forced end.
        const patience = delay(config.SHUTDOWN_TIMEOUT_MS * 0.1, undefined, { ref: false });
        await Promise.race([Promise.all([replayJobs.close(), runRequests.close(), exportJobs.close()]), patience]);
        await Promise.all([tailEnded, drainMeter.stop(), replicaLag?.stop(), syncedKeys.stop()]);
        redis.disconnect();
        if (readDatabase !== database) await readDatabase.close();
        await keysDatabase.close();
        await database.close();
      },
    },
    { name: 'query-api', logger, shutdownTimeoutMs: config.SHUTDOWN_TIMEOUT_MS },
  );
});
