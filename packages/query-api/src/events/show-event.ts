import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';
import { errorResponses } from '@sluice/errors/error-schema';
import { toWire } from '@sluice/events/adapters/to-wire';
import { untilGone } from '../http/client-gone.ts';
import { tenantProperty } from './event-input.ts';
import { findEvent } from './find-event.ts';
import type { QueryContext } from '../query-context.ts';
import { readingTenant } from '../http/reading-tenant.ts';
import { wireEventSchema } from './event-schemas.ts';

const params = Type.Object({
  event_id: Type.String({ minLength: 1, description: 'A UUID, or the text that the client sent as its id.' }),
});
const querystring = Type.Object(tenantProperty, { additionalProperties: false });

/** `GET /api/events/{event_id}`. */
export function addShowEventRoute(server: FastifyInstance, { readDatabase }: QueryContext): void {
  server.get('/api/events/:event_id', {
    config: { scope: 'read' },
    schema: {
      tags: ['events'],
      summary: 'One event by its id',
      params,
      querystring,
      response: { 200: wireEventSchema, ...errorResponses('query', 400, 401, 403, 404, 503, 504) },
    },
    handler: async (request, reply) => {
      const { event_id: id } = request.params as Static<typeof params>;
      const { tenant } = request.query as Static<typeof querystring>;
      return toWire(await findEvent(readDatabase.db, readingTenant(tenant, request.operator), id, untilGone(reply)));
    },
  });
}
