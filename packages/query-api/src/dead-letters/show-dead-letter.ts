import type { FastifyInstance } from 'fastify';
import type { Static } from 'typebox';
import { errorResponses } from '@sluice/errors/error-schema';
import { letterParams } from '../http/input-schemas.ts';
import { wholeLetter } from './whole-dead-letter.ts';
import type { QueryContext } from '../query-context.ts';
import { wholeLetterSchema } from './answer-schemas.ts';

/** `GET /api/dead-letters/{id}`. */
export function addShowRoute(server: FastifyInstance, { database, config }: QueryContext): void {
  server.get('/api/dead-letters/:id', {
    config: { scope: 'read' },
    schema: {
      tags: ['dead letters'],
      summary: 'One dead letter whole: payload, history, lineage, trace',
      params: letterParams,
      response: { 200: wholeLetterSchema, ...errorResponses('query', 400, 401, 404, 503, 504) },
    },
    handler: async (request) => {
      const { id } = request.params as Static<typeof letterParams>;
      return wholeLetter(database.db, id, request.operator, config.TRACE_URL_TEMPLATE);
    },
  });
}
