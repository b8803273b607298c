import type { FastifyInstance, FastifyReply } from 'fastify';
import { type Static, Type } from 'typebox';
import { inTransaction } from '@sluice/store/transaction';
import { errorResponses } from '@sluice/errors/error-schema';
import { parseKeepingDigits } from '@sluice/events/json/parse-json';
import { letterParams, reason } from '../http/input-schemas.ts';
import { editLetter, RejectedPayload } from './edit-letter.ts';
import { wholeLetter } from './whole-dead-letter.ts';
import type { QueryContext } from '../query-context.ts';
import { wholeLetterSchema } from './answer-schemas.ts';

const body = Type.Object(
  {
    payload: Type.Unknown({ description: 'The whole event, as a client would send it.' }),
    reason: Type.Optional(reason),
    version: Type.Optional(Type.String({ maxLength: 20, description: '`version` of the letter that was edited.' })),
  },
  { additionalProperties: false },
);

/** `PATCH /api/dead-letters/{id}`: mends the payload, so that a replay can succeed. */
export function addEditRoute(server: FastifyInstance, { database, config }: QueryContext): void {
  server.patch('/api/dead-letters/:id', {
    config: { scope: 'operate' },
    schema: {
      tags: ['dead letters'],
      summary: 'Mend the payload of a dead letter',
      description:
        'The new payload is validated as ingest validates it, and has to give the event the same id. What the client sent is kept as `original_payload`.',
      params: letterParams,
      body,
      response: { 200: wholeLetterSchema, ...errorResponses('query', 400, 401, 403, 404, 409, 413, 422, 503, 504) },
    },
    handler: async (request, reply) => {
      const { id } = request.params as Static<typeof letterParams>;
      const { payload, reason: why, version } = request.body as Static<typeof body>;
      const { payload: exact } = parseKeepingDigits(request.bodyText) as { payload: unknown };
      try {
        return await inTransaction(database, async (db) => {
          await editLetter(
            db,
            { id, payload, exact, reason: why, version, operator: request.operator },
            config.MAX_EVENT_BYTES,
          );
          return wholeLetter(db, id, request.operator, config.TRACE_URL_TEMPLATE);
        });
      } catch (error) {
        if (!(error instanceof RejectedPayload)) throw error;
        const { code, message, statusCode, rejection } = error;
        return (reply as FastifyReply)
          .code(statusCode)
          .send({ error: { code, message, request_id: request.id }, errors: [rejection] });
      }
    },
  });
}
