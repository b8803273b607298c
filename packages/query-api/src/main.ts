import { createOrm } from '@sluice/shared/database/orm';
import { openReplayJobs } from '@sluice/shared/jobs/replay-jobs';
import { createLogger } from '@sluice/shared/runtime/logger';
import { readEnvironment } from '@sluice/shared/runtime/read-environment';
import { redactUrl } from '@sluice/shared/runtime/redact-url';
import { runUntilStopped, startOrExit } from '@sluice/shared/runtime/run-daemon';
import { VERSION } from '@sluice/shared/runtime/version';
import { connectRedis } from '@sluice/shared/stream/connect-redis';
import { readQueryConfig } from './config.ts';
import { startDrainMeter } from './drain-meter.ts';
import { queryChecks } from './query-checks.ts';
import { buildServer } from './server.ts';

/** Redis commands are given up after this long, in milliseconds. */
const COMMAND_TIMEOUT_MS = 1_000;

await startOrExit('query-api', async () => {
  const config = readQueryConfig(readEnvironment());
  const logger = createLogger({ daemon: 'query-api', version: VERSION, level: config.LOG_LEVEL });
  logger.info({ database: redactUrl(config.DATABASE_URL), redis: redactUrl(config.REDIS_URL) }, 'starting');
  if (config.keys.open) {
    logger.warn(
      'QUERY API RUNS OPEN: neither API_KEY nor OPERATOR_KEYS is set, so anybody who reaches this port may read and replay dead letters',
    );
  }
  const orm = await createOrm({
    url: config.DATABASE_URL,
    poolSize: config.DB_POOL_SIZE,
    statementTimeoutMs: config.STATEMENT_TIMEOUT_MS,
    applicationName: 'sluice-query',
  });
  const redis = connectRedis(config.REDIS_URL, { name: 'query', logger, commandTimeoutMs: COMMAND_TIMEOUT_MS });
  const replayJobs = openReplayJobs({
    redisUrl: config.REDIS_URL,
    namespace: config.SLUICE_NAMESPACE,
    onError: (error) => logger.debug({ error: error.message }, 'BullMQ cannot reach Redis'),
  });
  const drainMeter = startDrainMeter({
    redis,
    logger,
    namespace: config.SLUICE_NAMESPACE,
    shards: config.STREAM_SHARDS,
  });

  let stopping = false;
  const server = await buildServer({
    config,
    orm,
    redis,
    replayJobs,
    drainMeter,
    logger,
    checks: queryChecks({ redis, orm, config }),
    isStopping: () => stopping,
  });
  const url = await server.listen({ host: config.HOST, port: config.QUERY_PORT });

  runUntilStopped(
    {
      url,
      async stop() {
        stopping = true;
        drainMeter.stop();
        // Answers that are on their way are finished; a download that takes longer than this is cut.
        const deadline = setTimeout(() => server.server.closeAllConnections(), config.SHUTDOWN_TIMEOUT_MS * 0.8);
        await server.close();
        clearTimeout(deadline);
        await replayJobs.close();
        redis.disconnect();
        await orm.close(true);
      },
    },
    { name: 'query-api', logger, shutdownTimeoutMs: config.SHUTDOWN_TIMEOUT_MS },
  );
});
