import helmet from '@fastify/helmet';
import type { FastifyInstance } from 'fastify';
import { addApiDocs } from '@sluice/daemon/http/api-docs';
import { addHealthRoutes } from '@sluice/daemon/http/health';
import { createHttpServer } from '@sluice/daemon/http/http-server';
import { addMetricsRoute } from '@sluice/daemon/telemetry/metrics';
import { addAuditLogRoute } from './audit/routes.ts';
import { addDataAge } from './data-age.ts';
import { addDeadLetterRoutes } from './dead-letters/routes.ts';
import { addEventRoutes } from './events/routes.ts';
import { addExportConfigRoutes } from './exports/config/routes.ts';
import { addExportRunRoutes } from './exports/runs/routes.ts';
import { addExportStatusRoute } from './exports/status/routes.ts';
import { addVerificationRoutes } from './exports/verifications/routes.ts';
import { addInputChecks } from './http/check-input.ts';
import { translateDatabaseError } from './http/database-errors.ts';
import { endRevoked } from './http/end-revoked.ts';
import { addRateLimits } from './http/rate-limits.ts';
import { addAuthentication } from './http/require-scope.ts';
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
  // The documentation's page brings a policy of its own.
  await server.register(helmet, { contentSecurityPolicy: false });
  addInputChecks(server);
  await addApiDocs(server, {
    title: 'Sluice query API',
    purpose: 'Events and what is known of them; dead letters, their replays, and the queue.',
    open: context.keys.open,
    tags: [
      { name: 'events', description: 'What was stored, in the wire shape it came in' },
      { name: 'sessions', description: 'Who was at work, from when to when' },
      { name: 'dead letters', description: 'What failed and why; mending, replaying and discarding it' },
      { name: 'replays', description: 'Dead letters on their way back' },
      { name: 'queue', description: 'How far behind the writers are' },
      { name: 'jobs', description: 'What the maintenance workers do, by schedule or on request' },
      { name: 'exports', description: 'Files of events, by schedule and on demand' },
      { name: 'retention', description: 'How long the events of a tenant are kept' },
      { name: 'audit', description: 'What operators did' },
      { name: 'keys', description: 'Who may do what' },
    ],
  });
  await server.register(async (open) => {
    addHealthRoutes(open, context.checks);
    addMetricsRoute(open, context.registry);
  });
  await server.register(async (api) => {
    const wrongKeys = await addRateLimits(api, context.keys, config.RATE_LIMIT_PER_MINUTE);
    addAuthentication(api, context.keys, wrongKeys);
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
