import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';
import { errorResponses } from '@sluice/errors/error-schema';
import { chosenLetters } from './choose-letters.ts';
import { choiceProperties, reason } from '../http/input-schemas.ts';
import { discardLetters } from './discard-letters.ts';
import type { QueryContext } from '../query-context.ts';

const body = Type.Object({ ...choiceProperties, reason }, { additionalProperties: false });

/** `POST /api/dead-letters/discards`: gives dead letters up; they stay readable. */
export function addDiscardRoute(server: FastifyInstance, { database }: QueryContext): void {
  server.post('/api/dead-letters/discards', {
    config: { scope: 'operate' },
    schema: {
      tags: ['dead letters'],
      summary: 'Give dead letters up, with a reason',
      description: 'Either `ids` or `filter`; an empty filter means all that are dead. They stay readable.',
      body,
      response: {
        200: Type.Object({ discarded: Type.Integer() }),
        ...errorResponses('query', 400, 401, 403, 404, 413, 503, 504),
      },
    },
    handler: async (request) => {
      const { reason: why, ...choice } = request.body as Static<typeof body>;
      const { operator } = request;
      const filter = await chosenLetters(database.db, choice, operator);
      return { discarded: await discardLetters(database, { filter, operator, reason: why }) };
    },
  });
}
