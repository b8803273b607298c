import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';
import { untraced } from '@sluice/daemon/telemetry/untraced';
import { ApiError } from '@sluice/errors/api-errors';
import { errorResponses } from '@sluice/errors/error-schema';
import { fieldFilter, fieldProperties, tenantProperty } from '../events/inputs.ts';
import { limitOpenAnswers } from '../http/open-answers.ts';
import { tenantOf } from '../http/tenants.ts';
import type { QueryContext } from '../query-context.ts';
import { openEventStream } from './event-stream.ts';
import { parseTailId } from './tail-id.ts';

const querystring = Type.Object({ ...tenantProperty, ...fieldProperties }, { additionalProperties: false });

/** Parameters that may be given several times. */
const LISTS = ['event_types', 'user_names', 'session_ids', 'workbook_names', 'correlation_ids'] as const;

/** `GET /api/events/stream`: server-sent events, as they are committed. */
export function addTailRoute(server: FastifyInstance, { config, liveTail, isStopping }: QueryContext): void {
  const holdStream = limitOpenAnswers(config.TAIL_STREAMS_PER_KEY);
  server.get('/api/events/stream', {
    config: { scope: 'read' },
    compress: false,
    schema: {
      tags: ['events'],
      summary: 'Follow events as they are committed, as server-sent events',
      description:
        'Each message has one event in its wire shape. `Last-Event-ID` resumes after a message, up to 15 minutes back. To send a list, repeat its parameter. Other events: `lag` (a long transaction holds events back), `gap` (Last-Event-ID is too old), and, before the end, `dropped` (the reader is too slow), `revoked`, `stopping`, `failed`.',
      querystring,
      response: {
        200: Type.String({ description: '`text/event-stream`' }),
        ...errorResponses('query', 400, 401, 403, 429, 503),
      },
    },
    preValidation: async (request) => {
      const query = request.query as Record<string, unknown>;
      for (const name of LISTS) if (typeof query[name] === 'string') query[name] = [query[name]];
    },
    handler: async (request, reply) => {
      const { tenant, ...fields } = request.query as Static<typeof querystring>;
      const { operator } = request;
      const filter = fieldFilter(tenantOf(tenant, operator), fields);
      const lastId = request.headers['last-event-id'];
      const resume = typeof lastId === 'string' && lastId !== '' ? parseTailId(lastId) : null;
      if (isStopping()) throw new ApiError('shutting_down', 'This instance is stopping.', { retryAfter: 1 });
      holdStream(operator, reply);

      const stream = openEventStream(request.held, () => clearInterval(heartbeat));
      const heartbeat = setInterval(() => stream.comment('heartbeat'), config.TAIL_HEARTBEAT_MS).unref();
      request.onRevoked = () => stream.end('revoked', 'The key was revoked or has expired.');

      stream.comment('connected');
      // The request's span lasts as long as the stream, so its reads are not traced.
      void untraced(() => liveTail.follow({ requestId: request.id, filter, stream }, resume));
      return (
        reply
          .type('text/event-stream; charset=utf-8')
          .header('cache-control', 'no-store')
          // Asks nginx not to buffer the answer.
          .header('x-accel-buffering', 'no')
          .send(stream.body)
      );
    },
  });
}
