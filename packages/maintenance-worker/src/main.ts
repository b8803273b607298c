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
import { readMaintenanceConfig } from './config.ts';
import { runSchedules } from './run-schedules.ts';

/** The health check's PING is given up after this long, in milliseconds. */
const COMMAND_TIMEOUT_MS = 1_000;

await startOrExit('maintenance-worker', async () => {
  const config = readMaintenanceConfig(readEnvironment());
  const logger = createLogger({ daemon: 'maintenance-worker', version: VERSION, level: config.LOG_LEVEL });
  logger.info({ redis: redactUrl(config.REDIS_URL), database: redactUrl(config.DATABASE_URL) }, 'starting');
  const orm = await createOrm({
    url: config.DATABASE_URL,
    poolSize: config.DB_POOL_SIZE,
    statementTimeoutMs: config.STATEMENT_TIMEOUT_MS,
    applicationName: 'sluice-maintenance',
  });
  const redis = connectRedis(config.REDIS_URL, { name: 'maintenance', logger, commandTimeoutMs: COMMAND_TIMEOUT_MS });
  const schedules =
    config.ENABLE_BACKGROUND_TASKS === 'true'
      ? runSchedules({ redisUrl: config.REDIS_URL, namespace: config.SLUICE_NAMESPACE, logger, context: { orm } })
      : null;
  if (schedules === null)
    logger.warn('ENABLE_BACKGROUND_TASKS=false: no scheduled job runs, so partitions are only made when daemons start');

  const server = Fastify({ logger: false });
  addHealthRoutes(server, [redisCheck(redis), postgresCheck(orm)]);
  const url = await server.listen({ host: config.HOST, port: config.MAINTENANCE_PORT });

  runUntilStopped(
    {
      url,
      async stop() {
        await schedules?.stop();
        redis.disconnect();
        await server.close();
        await orm.close(true);
      },
    },
    { name: 'maintenance-worker', logger, shutdownTimeoutMs: config.SHUTDOWN_TIMEOUT_MS },
  );
});
