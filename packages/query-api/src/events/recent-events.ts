import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';
import { errorResponses } from '@sluice/errors/error-schema';
import { toWire } from '@sluice/events/adapters/to-wire';
import { untilGone } from '../http/client-gone.ts';
import { tenantProperty } from './event-input.ts';
import { readEventPage } from './event-page.ts';
import type { QueryContext } from '../query-context.ts';
import { readingTenant } from '../http/reading-tenant.ts';
import { wireEventSchema } from './event-schemas.ts';

const querystring = Type.Object(
  { ...tenantProperty, limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000, default: 100 })) },
  { additionalProperties: false },
);

/** `GET /api/events/recent`, and `GET /events/recent` for clients of the web collection system. */
export function addRecentEventsRoutes(server: FastifyInstance, { readDatabase }: QueryContext): void {
  for (const path of ['/api/events/recent', '/events/recent']) {
    server.get(path, {
      config: { scope: 'read' },
      schema: {
        tags: ['events'],
        summary: 'The newest events, by their own time',
        querystring,
        response: {
          200: Type.Object({ events: Type.Array(wireEventSchema) }),
          ...errorResponses('query', 400, 401, 403, 503, 504),
        },
      },
      handler: async (request, reply) => {
        const { tenant, limit = 100 } = request.query as Static<typeof querystring>;
        const filter = { tenant: readingTenant(tenant, request.operator) };
        const { events } = await readEventPage(readDatabase.db, { filter, order: 'desc' }, { limit }, untilGone(reply));
        return { events: events.map(toWire) };
      },
    });
  }
}
