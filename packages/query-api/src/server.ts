import helmet from '@fastify/helmet';
import type { FastifyInstance } from 'fastify';
import { addApiDocs } from '@sluice/daemon/http/api-docs';
import { addHealthRoutes } from '@sluice/daemon/http/health';
import { addHeldBytesMetrics } from '@sluice/daemon/http/held-bytes-metrics';
import { createHttpServer } from '@sluice/daemon/http/http-server';
import { refuseForeignPages } from '@sluice/daemon/http/open-mode';
import { addMetricsRoute } from '@sluice/daemon/telemetry/metrics';
import { addAuditLogRoute } from './audit/routes.ts';
import { addDaemonsRoute } from './daemons/routes.ts';
import { addDataAge } from './data-age.ts';
import { addDeadLetterRoutes } from './dead-letters/routes.ts';
import { addEventRoutes } from './events/routes.ts';
import { addExportConfigRoutes } from './exports/config/routes.ts';
import { addExportRunRoutes } from './exports/runs/routes.ts';
import { addExportStatusRoute } from './exports/status/routes.ts';
import { addVerificationRoutes } from './exports/verifications/routes.ts';
import { answerPrivately } from './http/answer-privately.ts';
import { addInputChecks } from './http/check-input.ts';
import { compressAnswers } from './http/compress-answers.ts';
import { translateDatabaseError } from './http/database-errors.ts';
import { endRevoked } from './http/end-revoked.ts';
import { limitHeldAnswers } from './http/held-answers.ts';
import { addRateLimits } from './http/rate-limits.ts';
import { requireJson } from './http/require-json.ts';
import { addAuthentication } from './http/require-scope.ts';
import { cutUnreadAnswers } from './http/write-timeout.ts';
import { addJobRoutes } from './jobs/routes.ts';
import { addKeyRoutes } from './keys/routes.ts';
import type { QueryContext } from './query-context.ts';
import { addQueueRoute } from './queue/routes.ts';
import { addSetAsideRoutes } from './queue/set-aside-routes.ts';
import { addReplayRoutes } from './replays/routes.ts';
import { addRetentionRoutes } from './retention/routes.ts';
import { addSessionRoutes } from './sessions/routes.ts';
import { addStatisticsRoute } from './statistics/routes.ts';
import { addTailRoute } from './tail/routes.ts';

/** Largest body, in bytes: one payload, or ten thousand ids. */
const MAX_BODY_BYTES = 2 * 1024 * 1024;

/** Answers are data: nothing in them may run or load, and no page may frame them. The documentation has its own policy. */
const FOR_JSON = { useDefaults: false, directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] } };

/** Builds the HTTP server with all its routes; the caller makes it listen. */
export async function buildServer(context: QueryContext): Promise<FastifyInstance> {
  const { config } = context;
  const server = await createHttpServer({
    ...context,
    bodyLimit: MAX_BODY_BYTES,
    // Ids of sessions and events are in paths: up to 512 bytes, each of which may take three characters.
    maxParamLength: 2_000,
    crossOrigin: {
      methods: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
      allowedHeaders: ['last-event-id'],
      exposedHeaders: ['x-data-age', 'ratelimit-limit', 'ratelimit-remaining', 'ratelimit-reset', 'location'],
    },
    translate: translateDatabaseError,
  });
  if (context.keys.open) refuseForeignPages(server, config);
  await server.register(helmet, { contentSecurityPolicy: FOR_JSON });
  cutUnreadAnswers(server, config.WRITE_TIMEOUT_MS);
  await compressAnswers(server);
  addInputChecks(server);
  await addApiDocs(server, {
    title: 'Sluice query API',
    purpose: 'Read events, statistics and sessions; manage dead letters, replays, exports and jobs; watch the queue.',
    open: context.keys.open,
    tags: [
      { name: 'events', description: 'Stored events, in the wire shape in which they came' },
      { name: 'sessions', description: 'Sessions of users, with start and end' },
      {
        name: 'dead letters',
        description: 'Events that could not be stored: the reason, and how to fix, replay or discard them',
      },
      { name: 'replays', description: 'Dead letters that are put back on the stream' },
      { name: 'queue', description: 'What waits on the streams, and which writers work on it' },
      { name: 'daemons', description: 'The running daemons, and whether they can do their work' },
      { name: 'jobs', description: 'Tasks of the maintenance workers, by schedule or on request' },
      { name: 'exports', description: 'Files of events, by schedule and on demand' },
      { name: 'retention', description: 'How long the events of a tenant are retained' },
      { name: 'audit', description: 'Actions of operators' },
      { name: 'keys', description: 'API keys and their scopes' },
    ],
  });
  await server.register(async (open) => {
    addHealthRoutes(open, context.checks);
    addMetricsRoute(open, context.registry);
  });
  await server.register(async (api) => {
    await addRateLimits(api, context.keys, config.RATE_LIMIT_PER_MINUTE);
    answerPrivately(api);
    await addAuthentication(api, context.keys, config.RATE_LIMIT_PER_MINUTE > 0);
    if (context.keys.open) requireJson(api);
    const limits = { perTenant: config.UNREAD_BYTES_PER_TENANT, perProcess: config.UNREAD_BYTES };
    addHeldBytesMetrics(context.registry, limitHeldAnswers(api, limits), config.UNREAD_BYTES);
    endRevoked(api, context.keys, config.KEY_REFRESH_MS);
    await api.register(async (reads) => {
      addDataAge(reads, context.dataAge);
      addEventRoutes(reads, context);
      addStatisticsRoute(reads, context);
      addSessionRoutes(reads, context);
    });
    addTailRoute(api, context);
    addDeadLetterRoutes(api, context);
    addReplayRoutes(api, context);
    addQueueRoute(api, context);
    addDaemonsRoute(api, context);
    addSetAsideRoutes(api, context);
    addRetentionRoutes(api, context);
    addAuditLogRoute(api, context);
    addJobRoutes(api, context);
    addExportRunRoutes(api, context);
    addExportStatusRoute(api, context);
    addVerificationRoutes(api, context);
    addExportConfigRoutes(api, context);
    addKeyRoutes(api, context);
  });
  return server;
}
