import type { FastifyInstance } from 'fastify';
import { createKeyCheck } from '@sluice/access/wrong-keys';
import { addApiDocs } from '@sluice/daemon/http/api-docs';
import { addHealthRoutes } from '@sluice/daemon/http/health';
import { createHttpServer } from '@sluice/daemon/http/http-server';
import { refuseForeignPages } from '@sluice/daemon/http/open-mode';
import { addMetricsRoute } from '@sluice/daemon/telemetry/metrics';
import type { Door } from '@sluice/events/adapters/door';
import { DOORS } from '@sluice/events/adapters/doors';
import { addDoor } from './doors/add-door.ts';
import { addRequestDecompression } from './doors/decompress-requests.ts';
import { noteRefusal } from './doors/note-refusal.ts';
import type { IngestContext } from './ingest-context.ts';
import { addSecurityHeaders } from './security-headers.ts';

/** Builds the HTTP server with all routes. The caller makes it listen. */
export async function buildServer(context: IngestContext, doors: readonly Door[] = DOORS): Promise<FastifyInstance> {
  const { config, metrics, registry } = context;
  const server = await createHttpServer({
    ...context,
    bodyLimit: config.MAX_BODY_BYTES,
    crossOrigin: {
      methods: ['GET', 'POST'],
      allowedHeaders: ['content-encoding', 'idempotency-key', 'traceparent', 'tracestate'],
      exposedHeaders: [],
    },
    onUnrouted: metrics.refused,
    beforeAnswer: (error, request, reply) => noteRefusal(error, request, reply, metrics),
  });
  if (context.keys.open) refuseForeignPages(server, config);
  server.decorateRequest('principal', null);
  server.decorateRequest('heldBody', null);
  addSecurityHeaders(server);
  await addRequestDecompression(server);
  // Bodies stay bytes: read-body parses them at most once, and the stream gets them unchanged.
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));

  await addApiDocs(server, {
    title: 'Sluice ingest API',
    purpose: 'Queues events.',
    open: context.keys.open,
    tags: [
      { name: 'ingest', description: 'Batches of events' },
      { name: 'collect', description: 'Single events of web pages' },
    ],
  });
  await server.register(async (api) => {
    addHealthRoutes(api, context.checks);
    addMetricsRoute(api, registry);
    const keyCheck = await createKeyCheck(api, context.keys);
    for (const door of doors) await addDoor(api, door, { ...context, keyCheck });
  });
  return server;
}
