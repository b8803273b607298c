import { setTimeout as delay } from 'node:timers/promises';
import Fastify from 'fastify';
import { createOrm } from '@sluice/shared/database/orm';
import { postgresCheck } from '@sluice/shared/database/postgres-check';
import { addHealthRoutes } from '@sluice/shared/runtime/health';
import { createLogger } from '@sluice/shared/runtime/logger';
import { readEnvironment } from '@sluice/shared/runtime/read-environment';
import { redactUrl } from '@sluice/shared/runtime/redact-url';
import { runUntilStopped, startOrExit } from '@sluice/shared/runtime/run-daemon';
import { VERSION } from '@sluice/shared/runtime/version';
import { connectRedis } from '@sluice/shared/stream/connect-redis';
import { redisCheck } from '@sluice/shared/stream/redis-check';
import { createStreamProducer } from '@sluice/shared/stream/stream-producer';
import { readMaintenanceConfig } from './config.ts';
import { REPLAYS_AT_ONCE, runReplays } from './replays/run-replays.ts';
import { runSchedules } from './run-schedules.ts';

/** Redis commands are given up after this long, in milliseconds. */
const COMMAND_TIMEOUT_MS = 1_000;

await startOrExit('maintenance-worker', async () => {
  const config = readMaintenanceConfig(readEnvironment());
  const logger = createLogger({ daemon: 'maintenance-worker', version: VERSION, level: config.LOG_LEVEL });
  logger.info({ redis: redactUrl(config.REDIS_URL), database: redactUrl(config.DATABASE_URL) }, 'starting');
  const orm = await createOrm({
    url: config.DATABASE_URL,
    // Each replay keeps one connection; scheduled jobs and health checks must not wait for it.
    poolSize: Math.max(config.DB_POOL_SIZE, REPLAYS_AT_ONCE + 2),
    statementTimeoutMs: config.STATEMENT_TIMEOUT_MS,
    applicationName: 'sluice-maintenance',
  });
  const redis = connectRedis(config.REDIS_URL, {
    name: 'maintenance',
    logger,
    commandTimeoutMs: COMMAND_TIMEOUT_MS,
    autoPipelining: true,
  });
  const schedules =
    config.ENABLE_BACKGROUND_TASKS === 'true'
      ? runSchedules({
          redisUrl: config.REDIS_URL,
          namespace: config.SLUICE_NAMESPACE,
          logger,
          context: { orm, redis, config, logger },
        })
      : null;
  if (schedules === null)
    logger.warn('ENABLE_BACKGROUND_TASKS=false: no scheduled job runs, so partitions are only made when daemons start');

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
    orm,
    redis,
    producer,
    logger,
  });

  const server = Fastify({ logger: false });
  addHealthRoutes(server, [redisCheck(redis), postgresCheck(orm)]);
  const url = await server.listen({ host: config.HOST, port: config.MAINTENANCE_PORT });

  runUntilStopped(
    {
      url,
      async stop() {
        // BullMQ waits for Redis to take its goodbyes, 15 s each; a Redis that is away must not make this a forced end.
        const patience = delay(config.SHUTDOWN_TIMEOUT_MS * 0.6, undefined, { ref: false });
        await Promise.race([Promise.all([schedules?.stop(), replays.stop()]), patience]);
        redis.disconnect();
        await server.close();
        await orm.close(true);
      },
    },
    { name: 'maintenance-worker', logger, shutdownTimeoutMs: config.SHUTDOWN_TIMEOUT_MS },
  );
});
