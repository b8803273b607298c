import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';
import { errorResponses } from '@sluice/errors/error-schema';
import { foldAgeSeconds } from '@sluice/projections/fold/fold-age';
import { setDataAge } from '../data-age.ts';
import { wireEventSchema } from '../events/answers.ts';
import { columnText, rangeOf, rangeProperties, tenantProperty } from '../events/inputs.ts';
import { pageText } from '../events/page-text.ts';
import { eventList } from '../events/read-events.ts';
import { readEventPage } from '../events/rows.ts';
import { untilGone } from '../http/client-gone.ts';
import { withTimeoutHint } from '../http/database-errors.ts';
import { cursorAfter, type Order, pagePropertiesOf, placeIn, readPage } from '../http/paging.ts';
import { JSON_TYPE, nextCursor, oneOf } from '../http/schemas.ts';
import { tenantOf } from '../http/tenants.ts';
import type { QueryContext } from '../query-context.ts';
import { sessionProperties } from './answers.ts';
import { findSession, listSessions, sessionsBy } from './rows.ts';

const pageProperties = pagePropertiesOf(100);
const order = (first: Order) => Type.Optional(oneOf<Order>(['asc', 'desc'], { default: first }));

const listQuery = Type.Object(
  {
    ...tenantProperty,
    user_name: Type.Optional(Type.String({ minLength: 1, maxLength: 2_000 })),
    state: Type.Optional(oneOf(['open', 'closed'])),
    start_time: Type.Optional({ ...rangeProperties.start_time, description: 'Started at or after.' }),
    end_time: Type.Optional({ ...rangeProperties.end_time, description: 'Started before.' }),
    order: order('desc'),
    ...pageProperties,
  },
  { additionalProperties: false },
);
const params = Type.Object({ session_id: Type.String({ minLength: 1 }) });
const showQuery = Type.Object(
  { ...tenantProperty, order: order('asc'), ...pageProperties },
  { additionalProperties: false },
);

/** `GET /api/sessions`, and `GET /api/sessions/{session_id}` with its events. */
export function addSessionRoutes(server: FastifyInstance, context: QueryContext): void {
  const { readDatabase, backlogMeter } = context;
  server.get('/api/sessions', {
    config: { scope: 'read' },
    schema: {
      tags: ['sessions'],
      summary: 'List sessions by their start, newest first',
      description:
        'A session closes at its SessionEnd, or once no event of it has arrived for SESSION_IDLE_HOURS. A later event opens it again. The list is up to ten seconds old; `X-Data-Age` says how old.',
      querystring: listQuery,
      response: {
        200: Type.Object({ sessions: Type.Array(Type.Object(sessionProperties)), next_cursor: nextCursor }),
        ...errorResponses('query', 400, 401, 403, 503, 504),
      },
    },
    handler: async (request, reply) => {
      const query = request.query as Static<typeof listQuery>;
      const { order: by = 'desc', user_name: user } = query;
      const filter = {
        tenant: tenantOf(query.tenant, request.operator),
        userNames: user === undefined ? undefined : [columnText(user)],
        state: query.state,
        ...rangeOf(query),
      };
      const gone = untilGone(reply);
      // Read before the list, which is at least as new.
      setDataAge(reply, [backlogMeter.backlog?.ageSeconds, await foldAgeSeconds(readDatabase.db)]);
      const { rows, next } = await withTimeoutHint('give a start_time or a user_name.', () =>
        readPage(sessionsBy(filter, by), query, (after, limit) =>
          listSessions(readDatabase.db, { filter, order: by, after, limit }, gone),
        ),
      );
      return { sessions: rows, next_cursor: next };
    },
  });

  server.get('/api/sessions/:session_id', {
    config: { scope: 'read' },
    schema: {
      tags: ['sessions'],
      summary: 'Show one session with its events, oldest first',
      description: 'Exact to the last stored event.',
      params,
      querystring: showQuery,
      response: {
        200: Type.Object({ ...sessionProperties, events: Type.Array(wireEventSchema), next_cursor: nextCursor }),
        ...errorResponses('query', 400, 401, 403, 404, 503, 504),
      },
    },
    handler: async (request, reply) => {
      const { session_id: id } = request.params as Static<typeof params>;
      const { tenant: named, limit = 100, order: by = 'asc', cursor } = request.query as Static<typeof showQuery>;
      const tenant = tenantOf(named, request.operator);
      const sessionId = columnText(id);
      const list = eventList(['events of a session', tenant, sessionId], by);
      const after = placeIn(cursor, list);
      const gone = untilGone(reply);
      const session = await findSession(readDatabase, tenant, sessionId, gone);
      const filter = { tenant, sessionIds: [sessionId], start: session.started_at };
      const reading = { gone, held: request.held };
      const { events, end } = await readEventPage(readDatabase, { filter, order: by, after }, { limit }, reading);
      const next = { next_cursor: end === null ? null : cursorAfter(end, list) };
      return reply.type(JSON_TYPE).send(pageText(events, next, session));
    },
  });
}
