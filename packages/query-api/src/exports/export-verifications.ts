import type { FastifyInstance, FastifyReply } from 'fastify';
import { type Static, Type } from 'typebox';
import { inTransaction } from '@sluice/store/in-transaction';
import { errorResponses } from '@sluice/errors/error-schema';
import { wakeOrWarn } from '@sluice/jobs/wake-or-warn';
import { requestRun } from '../jobs/request-run.ts';
import { requireSucceeded } from './steer-export.ts';
import { findVerification, VERIFY_JOB } from './verification-rows.ts';
import type { QueryContext } from '../query-context.ts';
import { readConnection } from '../http/read-connection.ts';
import { verificationSchema } from './export-answers.ts';

const params = Type.Object({ id: Type.String({ format: 'uuid' }) });
const noBody = Type.Union([Type.Object({}, { additionalProperties: false }), Type.Null()]);
const shared = { tags: ['exports'] };

/** `POST /export/runs/{id}/verify`, and `GET /export/verifications/{id}`. */
export function addVerificationRoutes(server: FastifyInstance, { orm, runRequests, logger }: QueryContext): void {
  server.post('/export/runs/:id/verify', {
    config: { scope: 'operate' },
    schema: {
      ...shared,
      summary: 'Read an export again and hold it against its manifest',
      description: 'Destination and backup: the manifest, and the bytes, the SHA-256 and the rows of every file.',
      params,
      body: noBody,
      response: { 202: verificationSchema, ...errorResponses('query', 400, 404, 409, 503, 504) },
    },
    // No body, or an empty object.
    preValidation: async (request) => {
      request.body ??= null;
    },
    handler: async (request, reply) => {
      const { id: runId } = request.params as Static<typeof params>;
      const { operator } = request;
      const id = await inTransaction(orm, async (db) => {
        await requireSucceeded(db, runId, operator);
        return requestRun(db, { job: VERIFY_JOB, input: { run_id: runId }, operator });
      });
      await wakeOrWarn(runRequests, id, logger, { request_id: request.id });
      return (reply as FastifyReply)
        .code(202)
        .header('location', `/export/verifications/${id}`)
        .send(await findVerification(readConnection(orm), id, operator));
    },
  });

  server.get('/export/verifications/:id', {
    config: { scope: 'read' },
    schema: {
      ...shared,
      summary: 'How far a verification is, or what it found',
      params,
      response: { 200: verificationSchema, ...errorResponses('query', 400, 404, 503, 504) },
    },
    handler: async (request) =>
      findVerification(readConnection(orm), (request.params as Static<typeof params>).id, request.operator),
  });
}
