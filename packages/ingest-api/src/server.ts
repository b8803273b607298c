import { randomUUID } from 'node:crypto';
import compress from '@fastify/compress';
import cors from '@fastify/cors';
import Fastify, { type FastifyInstance } from 'fastify';
import { addHealthRoutes } from '@sluice/shared/runtime/health';
import { addApiDocs } from './api-docs.ts';
import { addErrorAnswers, answerBrokenRequest } from './error-answers.ts';
import type { IngestContext } from './ingest-context.ts';
import { addRequestClock } from './request-clock.ts';
import { addCollectRoutes } from './routes/collect.ts';
import { addPostEventsRoute } from './routes/post-events.ts';

/** How long a client may take to send a whole request, in milliseconds. */
const REQUEST_TIMEOUT_MS = 30_000;

/** Builds the HTTP server with all its routes; the caller makes it listen. */
export async function buildServer(context: IngestContext): Promise<FastifyInstance> {
  const { config } = context;
  const server = Fastify({
    logger: false,
    bodyLimit: config.MAX_BODY_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    trustProxy: config.TRUST_PROXY.length === 0 ? false : config.TRUST_PROXY,
    genReqId: (request) => acceptableRequestId(request.headers['x-request-id']) ?? randomUUID(),
    // A HEAD on /collect would store an event.
    exposeHeadRoutes: false,
    // The hook in error-answers says it in Sluice's own words.
    return503OnClosing: false,
    clientErrorHandler: answerBrokenRequest,
  });
  addErrorAnswers(server, context);
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
  // Only requests are decompressed; Fastify counts decoded bytes against the body limit while they come in.
  await server.register(compress, {
    globalCompression: false,
    requestEncodings: ['gzip', 'br', 'zstd', 'deflate', 'identity'],
  });
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
