import cors from '@fastify/cors';
import Fastify, { type FastifyInstance } from 'fastify';
import { addApiDocs } from '@sluice/daemon/http/api-docs';
import { addErrorAnswers, passExpectations } from '@sluice/daemon/http/error-answers';
import { addHealthRoutes } from '@sluice/daemon/http/health';
import { addRequestClock } from '@sluice/daemon/http/request-clock';
import { serverOptions } from '@sluice/daemon/http/server-options';
import { addHttpMetrics } from '@sluice/daemon/http/http-metrics';
import { addMetricsRoute } from '@sluice/daemon/telemetry/metrics';
import { addRequestNames } from '@sluice/daemon/http/name-requests';
import { addRequestDecompression, dropRestOfBody } from './doors/decompress-requests.ts';
import type { IngestContext } from './ingest-context.ts';
import { addCollectRoutes } from './doors/collect.ts';
import { addPostEventsRoute } from './doors/post-events.ts';

/** Builds the HTTP server with all its routes; the caller makes it listen. */
export async function buildServer(context: IngestContext): Promise<FastifyInstance> {
  const { config, metrics, registry } = context;
  const server = Fastify({
    ...serverOptions(config.REQUEST_TIMEOUT_MS, metrics.refused),
    bodyLimit: config.MAX_BODY_BYTES,
    trustProxy: config.TRUST_PROXY.length === 0 ? false : config.TRUST_PROXY,
    // A HEAD on /collect would store an event.
    exposeHeadRoutes: false,
  });
  passExpectations(server);
  addRequestNames(server);
  addRequestClock(server, context.isStopping);
  addHttpMetrics(server, registry);
  server.decorateRequest('principal', null);
  if (config.CORS_ORIGINS.length > 0) {
    await server.register(cors, {
      origin: config.CORS_ORIGINS.includes('*') ? '*' : config.CORS_ORIGINS,
      methods: ['GET', 'POST'],
      allowedHeaders: [
        'content-type',
        'content-encoding',
        'authorization',
        'x-api-key',
        'x-request-id',
        'idempotency-key',
        'traceparent',
        'tracestate',
      ],
      exposedHeaders: ['x-request-id', 'x-processing-time', 'retry-after'],
      maxAge: 86_400,
    });
  }
  // Behind CORS, so that a page can read why it was refused.
  addErrorAnswers(server, {
    ...context,
    beforeAnswer(error, request, reply) {
      metrics.refused(error.code);
      if (error.code !== 'body_too_large') return;
      dropRestOfBody(request);
      reply.removeHeader('connection');
    },
  });
  await addRequestDecompression(server);
  // Bodies stay bytes: they are parsed at most once, by read-body, and go on to the stream as they are.
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
    addPostEventsRoute(api, context);
    await api.register(async (collect) => addCollectRoutes(collect, context));
  });
  return server;
}
