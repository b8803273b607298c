import Fastify from 'fastify';
import { createOrm } from '@sluice/shared/database/orm';
import { postgresCheck } from '@sluice/shared/database/postgres-check';
import { addHealthRoutes } from '@sluice/shared/runtime/health';
import { createLogger } from '@sluice/shared/runtime/logger';
import { readEnvironment } from '@sluice/shared/runtime/read-environment';
import { redactUrl } from '@sluice/shared/runtime/redact-url';
import { runUntilStopped, startOrExit } from '@sluice/shared/runtime/run-daemon';
import { VERSION } from '@sluice/shared/runtime/version';
import { readQueryConfig } from './config.ts';

// Health endpoints only, so far: the read API is built on this daemon.
await startOrExit('query-api', async () => {
  const config = readQueryConfig(readEnvironment());
  const logger = createLogger({ daemon: 'query-api', version: VERSION, level: config.LOG_LEVEL });
  logger.info({ database: redactUrl(config.DATABASE_URL) }, 'starting');
  const orm = await createOrm({
    url: config.DATABASE_URL,
    poolSize: config.DB_POOL_SIZE,
    statementTimeoutMs: config.STATEMENT_TIMEOUT_MS,
    applicationName: 'sluice-query',
  });

  const server = Fastify({ logger: false });
  addHealthRoutes(server, [postgresCheck(orm)]);
  const url = await server.listen({ host: config.HOST, port: config.QUERY_PORT });

  runUntilStopped(
    {
      url,
      async stop() {
        await server.close();
        await orm.close(true);
      },
    },
    { name: 'query-api', logger, shutdownTimeoutMs: config.SHUTDOWN_TIMEOUT_MS },
  );
});
