import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Static } from 'typebox';
import { errorResponses } from '@sluice/errors/error-schema';
import { wakeOrWarn } from '@sluice/jobs/wake-or-warn';
import { inTransaction } from '@sluice/store/transaction';
import { bodyOrNull, noBody, uuidParams } from '../../http/schemas.ts';
import { requestRun } from '../../jobs/commands.ts';
import type { QueryContext } from '../../query-context.ts';
import { requireSucceeded } from '../runs/commands.ts';
import { verificationSchema } from './answers.ts';
import { findVerification, VERIFY_JOB } from './rows.ts';

const shared = { tags: ['exports'] };

/** `POST /export/runs/{id}/verify`, and `GET /export/verifications/{id}`. */
export function addVerificationRoutes(server: FastifyInstance, { database, runRequests, logger }: QueryContext): void {
  server.post('/export/runs/:id/verify', {
    config: { scope: 'operate' },
    schema: {
      ...shared,
      summary: 'Read an export again and compare it with its manifest',
      description:
        'Reads destination and backup, and checks the manifest and the bytes, SHA-256 and rows of every file.',
      params: uuidParams,
      body: noBody,
      response: { 202: verificationSchema, ...errorResponses('query', 400, 404, 409, 503, 504) },
    },
    preValidation: bodyOrNull,
    handler: async (request, reply) => {
      const { id: runId } = request.params as Static<typeof uuidParams>;
      const { operator } = request;
      const id = await inTransaction(database, async (db) => {
        await requireSucceeded(db, runId, operator);
        return requestRun(db, { job: VERIFY_JOB, input: { run_id: runId }, operator });
      });
      await wakeOrWarn(runRequests, id, logger, { request_id: request.id });
      return (reply as FastifyReply)
        .code(202)
        .header('location', `/export/verifications/${id}`)
        .send(await findVerification(database.db, id, operator));
    },
  });

  server.get('/export/verifications/:id', {
    config: { scope: 'read' },
    schema: {
      ...shared,
      summary: 'Show the progress or the result of a verification',
      params: uuidParams,
      response: { 200: verificationSchema, ...errorResponses('query', 400, 404, 503, 504) },
    },
    handler: async (request) =>
      findVerification(database.db, (request.params as Static<typeof uuidParams>).id, request.operator),
  });
}
