import { randomUUID } from 'node:crypto';
import cors from '@fastify/cors';
import Fastify, { type FastifyInstance } from 'fastify';
import { addHealthRoutes } from '@sluice/shared/runtime/health';
import { addApiDocs } from './api-docs.ts';
import { addRequestDecompression } from './decompress-requests.ts';
import { addErrorAnswers, answerBrokenRequest, answerUnroutable, passExpectations } from './error-answers.ts';
import type { IngestContext } from './ingest-context.ts';
import { addRequestClock } from './request-clock.ts';
import { addCollectRoutes } from './routes/collect.ts';
import { addPostEventsRoute } from './routes/post-events.ts';

/** Builds the HTTP server with all its routes; the caller makes it listen. */
export async function buildServer(context: IngestContext): Promise<FastifyInstance> {
  const { config } = context;
  const server = Fastify({
    logger: false,
    bodyLimit: config.MAX_BODY_BYTES,
    requestTimeout: config.REQUEST_TIMEOUT_MS,
    http: {
      headersTimeout: config.REQUEST_TIMEOUT_MS,
      // How often Node looks for requests that take too long; its default is 30 s.
      connectionsCheckingInterval: Math.min(config.REQUEST_TIMEOUT_MS, 1_000),
      // Node's own refusal has no body; the hook in error-answers says what is wrong.
      requireHostHeader: false,
    },
    trustProxy: config.TRUST_PROXY.length === 0 ? false : config.TRUST_PROXY,
    genReqId: (request) => acceptableRequestId(request.headers['x-request-id']) ?? randomUUID(),
    // A HEAD on /collect would store an event.
    exposeHeadRoutes: false,
    // The hook in error-answers says it in Sluice's own words.
    return503OnClosing: false,
    clientErrorHandler: answerBrokenRequest,
    frameworkErrors: answerUnroutable,
  });
  passExpectations(server);
  addRequestClock(server, context.isStopping);
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
  addErrorAnswers(server, context);
  await addRequestDecompression(server);
  // Bodies stay bytes: they are parsed once, by read-body, and go on to the stream as they are.
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));

  await addApiDocs(server, config);
  await server.register(async (api) => {
    addHealthRoutes(api, context.checks);
    addPostEventsRoute(api, context);
    await api.register(async (collect) => addCollectRoutes(collect, context));
  });
  return server;
}

function acceptableRequestId(header: string | string[] | undefined): string | null {
  return typeof header === 'string' && /^[\w.:-]{1,128}$/.test(header) ? header : null;
}
