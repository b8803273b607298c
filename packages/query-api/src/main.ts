import { withStoredKeys } from '@sluice/access/key-ring';
import { warnOfWeakKey } from '@sluice/access/weak-key';
import { readEnvironment } from '@sluice/daemon/config/read-environment';
import { startStateReports } from '@sluice/daemon/http/daemon-state';
import { addHealthMetrics } from '@sluice/daemon/http/health-metrics';
import { listen } from '@sluice/daemon/http/listen';
import { startLog } from '@sluice/daemon/log/start-log';
import { waitAtMost } from '@sluice/daemon/retry/with-timeout';
import { runUntilStopped, startOrExit } from '@sluice/daemon/run-daemon';
import { stop, stopWithin } from '@sluice/daemon/service';
import { createMetrics } from '@sluice/daemon/telemetry/metrics';
import { createPoolMetrics } from '@sluice/daemon/telemetry/pool-metrics';
import { openWakeQueue } from '@sluice/jobs/wake-queue';
import { startBacklogMeter } from '@sluice/stream/backlog-meter';
import { connectRedis } from '@sluice/stream/connect-redis';
import { statesIn } from '@sluice/stream/daemon-states';
import { readRedisMemory } from '@sluice/stream/redis-memory';
import { QUERY_VARIABLES, readQueryConfig } from './config.ts';
import { dataAgeOf, startReplicaLagMeter } from './data-age.ts';
import { openDatabases } from './databases.ts';
import { syncKeys } from './keys/sync-keys.ts';
import { queryChecks } from './query-checks.ts';
import { createQueryMetrics } from './query-metrics.ts';
import { readQueue } from './queue/read-queue.ts';
import { buildServer } from './server.ts';
import { createLiveTail } from './tail/live-tail.ts';

/** Redis commands are given up after this long, in milliseconds. */
const COMMAND_TIMEOUT_MS = 1_000;

/** How long the start waits for the stored keys before it continues without them, in milliseconds. */
const KEYS_WAIT_MS = 2_000;

await startOrExit('query-api', async () => {
  const environment = readEnvironment();
  const config = readQueryConfig(environment);
  const { SLUICE_NAMESPACE: namespace, STREAM_SHARDS: shards, SHUTDOWN_TIMEOUT_MS: shutdownTimeoutMs } = config;
  const logger = await startLog('query-api', config, environment, QUERY_VARIABLES);
  if (config.configuredKeys.open) {
    logger.warn(
      'QUERY API RUNS OPEN: neither API_KEY nor OPERATOR_KEYS is set, so anybody who reaches this port may read every event and replay dead letters',
    );
  }
  warnOfWeakKey(config.API_KEY, logger);
  const registry = createMetrics('query-api');

  const parts = new AsyncDisposableStack();
  const { database, readDatabase, keysDatabase } = openDatabases(config, createPoolMetrics(registry), parts);
  const redis = connectRedis(config.REDIS_URL, { name: 'query', logger, commandTimeoutMs: COMMAND_TIMEOUT_MS });
  parts.defer(() => redis.disconnect());

  const onError = (error: Error): void => logger.debug({ error: error.message }, 'BullMQ cannot reach Redis');
  const queue = { redisUrl: config.REDIS_URL, namespace, onError };
  const [replayJobs, runRequests, exportJobs] = [
    openWakeQueue('replay', queue),
    openWakeQueue('run', queue),
    openWakeQueue('export', queue),
  ];
  // BullMQ waits until Redis answers its last commands. An unreachable Redis must not force the end of the process.
  const closeJobs = () => Promise.all([replayJobs.close(), runRequests.close(), exportJobs.close()]);
  parts.defer(() => waitAtMost(shutdownTimeoutMs * 0.1, closeJobs()));

  // Neither must a poll of a Postgres that does not answer.
  const stopPoll = stopWithin(shutdownTimeoutMs * 0.02);
  const backlogMeter = parts.adopt(startBacklogMeter({ redis, logger, namespace, shards }), stop);
  const replicaLag =
    readDatabase === database ? null : parts.adopt(startReplicaLagMeter(readDatabase.db, logger), stopPoll);
  const syncedKeys = parts.adopt(
    syncKeys({ database: keysDatabase, redis, logger, namespace, refreshMs: config.KEY_REFRESH_MS }),
    stopPoll,
  );
  await waitAtMost(KEYS_WAIT_MS, syncedKeys.refresh());

  const liveTail = createLiveTail({ database, logger });
  createQueryMetrics(registry, {
    async readRedis() {
      const [queued, memory] = await Promise.all([readQueue(redis, namespace, shards), readRedisMemory(redis)]);
      return { shards: queued, memory };
    },
    backlogMeter,
    liveTail,
  });
  const checks = queryChecks({ redis, database, readDatabase, config, storedKeys: syncedKeys.keys });
  addHealthMetrics(registry, checks);
  const published = { daemon: 'query-api', checks, logger, ...statesIn(redis, namespace) };
  const reports = parts.adopt(startStateReports(published), stopPoll);
  let stopping = false;
  const server = await buildServer({
    config,
    keys: withStoredKeys(config.configuredKeys, syncedKeys.keys),
    syncedKeys,
    database,
    readDatabase,
    redis,
    replayJobs,
    runRequests,
    exportJobs,
    backlogMeter,
    liveTail,
    dataAge: dataAgeOf(backlogMeter, replicaLag),
    logger,
    registry,
    checks,
    isStopping: () => stopping,
  });
  // Running answers are finished. A download that takes longer than this is cut.
  const address = { host: config.HOST, port: config.QUERY_PORT, patienceMs: shutdownTimeoutMs * 0.8 };
  const { url } = parts.adopt(await listen(server, address), stop);
  // Before the server: open streams would keep it from closing.
  parts.adopt(liveTail, stopPoll);
  parts.defer(() => {
    stopping = true;
  });
  runUntilStopped({ url, parts, reports }, { name: 'query-api', logger, shutdownTimeoutMs });
});
