import helmet from '@fastify/helmet';
import Fastify, { type FastifyInstance } from 'fastify';
import { addApiDocs } from '@sluice/shared/runtime/api-docs';
import { addErrorAnswers, passExpectations } from '@sluice/shared/runtime/error-answers';
import { addHealthRoutes } from '@sluice/shared/runtime/health';
import { addRequestClock } from '@sluice/shared/runtime/request-clock';
import { serverOptions } from '@sluice/shared/runtime/server-options';
import { addAuthentication } from './authenticate.ts';
import { addInputChecks } from './check-input.ts';
import { translateDatabaseError } from './database-errors.ts';
import type { QueryContext } from './query-context.ts';
import { addAuditLogRoute } from './routes/audit-log.ts';
import { addDiscardRoute } from './routes/discards.ts';
import { addEditRoute } from './routes/edit-dead-letter.ts';
import { addListRoutes } from './routes/list-dead-letters.ts';
import { addProgressRoute } from './routes/replay-progress.ts';
import { addQueueRoute } from './routes/queue.ts';
import { addReplayRoutes } from './routes/replays.ts';
import { addShowRoute } from './routes/show-dead-letter.ts';

/** Largest body, in bytes: one payload, or ten thousand ids. */
const MAX_BODY_BYTES = 2 * 1024 * 1024;

/** Builds the HTTP server with all its routes; the caller makes it listen. */
export async function buildServer(context: QueryContext): Promise<FastifyInstance> {
  const { config } = context;
  const server = Fastify({
    ...serverOptions(config.REQUEST_TIMEOUT_MS),
    bodyLimit: MAX_BODY_BYTES,
    exposeHeadRoutes: false,
  });
  passExpectations(server);
  addRequestClock(server, context.isStopping);
  addErrorAnswers(server, { ...context, translate: translateDatabaseError });
  // The documentation's page brings a policy of its own.
  await server.register(helmet, { contentSecurityPolicy: false });
  addInputChecks(server);
  await addApiDocs(server, {
    title: 'Sluice query API',
    purpose: 'Dead letters, their replays, and the queue.',
    open: config.keys.open,
    tags: [
      { name: 'dead letters', description: 'What failed and why; mending, replaying and discarding it' },
      { name: 'replays', description: 'Dead letters on their way back' },
      { name: 'queue', description: 'How far behind the writers are' },
      { name: 'audit', description: 'What operators did' },
    ],
  });
  await server.register(async (open) => addHealthRoutes(open, context.checks));
  await server.register(async (api) => {
    addAuthentication(api, config.keys);
    addListRoutes(api, context);
    addShowRoute(api, context);
    addEditRoute(api, context);
    addDiscardRoute(api, context);
    addReplayRoutes(api, context);
    addProgressRoute(api, context);
    addQueueRoute(api, context);
    addAuditLogRoute(api, context);
  });
  return server;
}
