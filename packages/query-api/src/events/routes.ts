import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';
import { ApiError } from '@sluice/errors/api-errors';
import { errorResponses } from '@sluice/errors/error-schema';
import { toWire } from '@sluice/events/adapters/to-wire';
import { READ_CHUNK_BYTES } from '@sluice/store/read-payload';
import { untilGone } from '../http/client-gone.ts';
import { withTimeoutHint } from '../http/database-errors.ts';
import { openDownload } from '../http/lines.ts';
import { limitOpenAnswers, MAX_OPEN_ANSWERS } from '../http/open-answers.ts';
import { cursorAfter, placeIn } from '../http/paging.ts';
import { JSON_TYPE, nextCursor, oneOf } from '../http/schemas.ts';
import { tenantOf } from '../http/tenants.ts';
import type { QueryContext } from '../query-context.ts';
import { wireEventSchema } from './answers.ts';
import { countEvents } from './count-events.ts';
import { downloadEvents } from './download-events.ts';
import {
  DEFAULT_EVENTS,
  eventQuery,
  type EventQuery,
  filterOfQuery,
  orderOfQuery,
  refusePaging,
  tenantProperty,
  TIMEOUT_HINT,
  totalMethodOf,
} from './inputs.ts';
import { readNewestStored } from './newest-stored.ts';
import { pageText } from './page-text.ts';
import { eventList } from './read-events.ts';
import { findEvent, readEventPage } from './rows.ts';

/** What the newest events are: those that occurred last, or those that were stored last. */
type Newest = 'occurred' | 'stored';

const recentQuery = (by: Newest) =>
  Type.Object(
    {
      ...tenantProperty,
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000, default: 100 })),
      by: Type.Optional(
        oneOf<Newest>(['occurred', 'stored'], {
          default: by,
          description: '`occurred`: by their own time; `stored`: those that came last, whatever their time says.',
        }),
      ),
    },
    { additionalProperties: false },
  );
const showParams = Type.Object({
  event_id: Type.String({ minLength: 1, description: 'A UUID, or the text that the client sent as its id.' }),
});
const showQuery = Type.Object(tenantProperty, { additionalProperties: false });

const shared = { tags: ['events'] };

/** `/api/events`: by filter, the newest, and one by its id. Statistics and the live tail have their own folders. */
export function addEventRoutes(server: FastifyInstance, context: QueryContext): void {
  addQueryEventsRoute(server, context);
  addRecentEventsRoutes(server, context);
  addShowEventRoute(server, context);
}

/** `POST /api/events/query`: events by filter, as pages or as a download. */
function addQueryEventsRoute(server: FastifyInstance, { readDatabase, isStopping }: QueryContext): void {
  const holdDownload = limitOpenAnswers(MAX_OPEN_ANSWERS);
  server.post('/api/events/query', {
    config: { scope: 'read' },
    schema: {
      ...shared,
      summary: 'Find events by filter, newest first',
      description:
        'Fields are combined with AND, values of one field with OR. Times are `start_time` ≤ event < `end_time`. With `Accept: application/x-ndjson` the answer is a download of all matches from `cursor` on, one event a line, without a `limit`. One key may have 10 downloads open.',
      body: eventQuery,
      response: {
        200: Type.Object({
          events: Type.Array(wireEventSchema),
          next_cursor: nextCursor,
          total: Type.Optional(Type.Integer()),
          total_method: Type.Optional(oneOf(['exact', 'estimated'])),
        }),
        ...errorResponses('query', 400, 401, 403, 413, 503, 504),
      },
    },
    handler: async (request, reply) => {
      const query = request.body as EventQuery;
      const filter = filterOfQuery(query, tenantOf(query.tenant, request.operator), request.bodyText);
      const { limit = DEFAULT_EVENTS, offset, cursor } = query;
      const order = orderOfQuery(query);
      const method = totalMethodOf(query);
      const list = eventList(filter, order);
      if (cursor !== undefined && offset !== undefined) {
        throw new ApiError('invalid_body', 'Give either cursor or offset.');
      }
      const after = placeIn(cursor, list);
      const gone = untilGone(reply);
      if (request.headers.accept?.includes('application/x-ndjson')) {
        refusePaging(query);
        holdDownload(request.operator, reply);
        request.held.require(READ_CHUNK_BYTES);
        return reply
          .type('application/x-ndjson; charset=utf-8')
          .send(await openDownload(downloadEvents(readDatabase, { filter, order, after }, gone, isStopping)));
      }
      return withTimeoutHint(TIMEOUT_HINT, async () => {
        const reading = { gone, held: request.held };
        const { events, end } = await readEventPage(readDatabase, { filter, order, after }, { limit, offset }, reading);
        return reply.type(JSON_TYPE).send(
          pageText(events, {
            next_cursor: end === null ? null : cursorAfter(end, list),
            ...(method === null
              ? {}
              : { total: await countEvents(readDatabase, filter, method, gone), total_method: method }),
          }),
        );
      });
    },
  });
}

/** `GET /api/events/recent`, and `GET /events/recent` for clients of the web collection system. */
function addRecentEventsRoutes(server: FastifyInstance, { readDatabase }: QueryContext): void {
  const routes = [
    { path: '/api/events/recent', first: 'occurred' },
    // As the web collection system had it: somebody who has just sent an event looks for it here.
    { path: '/events/recent', first: 'stored' },
  ] as const;
  for (const { path, first } of routes) {
    server.get(path, {
      config: { scope: 'read' },
      schema: {
        ...shared,
        summary: 'List the newest events',
        querystring: recentQuery(first),
        response: {
          200: Type.Object({ events: Type.Array(wireEventSchema) }),
          ...errorResponses('query', 400, 401, 403, 503, 504),
        },
      },
      handler: async (request, reply) => {
        const { tenant: named, limit = 100, by = first } = request.query as Static<ReturnType<typeof recentQuery>>;
        const tenant = tenantOf(named, request.operator);
        const reading = { gone: untilGone(reply), held: request.held };
        const { events } =
          by === 'stored'
            ? await readNewestStored(readDatabase, tenant, limit, reading)
            : await readEventPage(readDatabase, { filter: { tenant }, order: 'desc' }, { limit }, reading);
        return reply.type(JSON_TYPE).send(pageText(events, {}));
      },
    });
  }
}

/** `GET /api/events/{event_id}`. */
function addShowEventRoute(server: FastifyInstance, { readDatabase }: QueryContext): void {
  server.get('/api/events/:event_id', {
    config: { scope: 'read' },
    schema: {
      ...shared,
      summary: 'Show one event by its id',
      params: showParams,
      querystring: showQuery,
      response: { 200: wireEventSchema, ...errorResponses('query', 400, 401, 403, 404, 503, 504) },
    },
    handler: async (request, reply) => {
      const { event_id: id } = request.params as Static<typeof showParams>;
      const { tenant } = request.query as Static<typeof showQuery>;
      return toWire(await findEvent(readDatabase, tenantOf(tenant, request.operator), id, untilGone(reply)));
    },
  });
}
