import type { FastifyInstance, FastifyReply } from 'fastify';
import { type Static, Type } from 'typebox';
import type { Principal } from '@sluice/access/principal';
import { errorResponses } from '@sluice/errors/error-schema';
import { wakeOrWarn } from '@sluice/jobs/wake-or-warn';
import { inTransaction } from '@sluice/store/transaction';
import { createBodyCheck } from '../http/check-input.ts';
import { pageProperties, type PageRequest, readPage } from '../http/paging.ts';
import { bodyOrNull, nextCursor, noBody, uuidParams } from '../http/schemas.ts';
import type { QueryContext } from '../query-context.ts';
import { jobSchema, runSchema } from './answers.ts';
import { cancelRun, requestRun } from './commands.ts';
import { findRun, inputOfJob, JOB_RUNS, listJobs, listRuns } from './rows.ts';

const jobParams = Type.Object({ name: Type.String({ minLength: 1, maxLength: 100, pattern: '^[a-z0-9-]+$' }) });
const listQuery = Type.Object(pageProperties, { additionalProperties: false });
const pageOfRuns = Type.Object({
  runs: Type.Array(runSchema),
  next_cursor: nextCursor,
});

const shared = { tags: ['jobs'] };

/** The jobs of the maintenance workers: `GET /api/jobs`, and listing, requesting and cancelling their runs. */
export function addJobRoutes(server: FastifyInstance, { database, runRequests, logger }: QueryContext): void {
  const checkBody = createBodyCheck();

  server.get('/api/jobs', {
    config: { scope: 'read' },
    schema: {
      ...shared,
      summary: 'List the jobs of the maintenance workers, with their last and next runs',
      description: 'Jobs belong to the whole installation: a key of one tenant sees none.',
      response: { 200: Type.Object({ jobs: Type.Array(jobSchema) }), ...errorResponses('query', 400, 503, 504) },
    },
    handler: async (request) => ({ jobs: await listJobs(database.db, request.operator) }),
  });

  const pageOf = async (job: string | null, page: PageRequest, operator: Principal) => {
    const { rows, next } = await readPage(JOB_RUNS, page, (after, limit) =>
      listRuns(database.db, { job, after, limit }, operator),
    );
    return { runs: rows, next_cursor: next };
  };

  server.get('/api/jobs/runs', {
    config: { scope: 'read' },
    schema: {
      ...shared,
      summary: 'List the runs of all jobs, newest first',
      querystring: listQuery,
      response: { 200: pageOfRuns, ...errorResponses('query', 400, 503, 504) },
    },
    handler: async (request) => {
      return pageOf(null, request.query as Static<typeof listQuery>, request.operator);
    },
  });

  server.get('/api/jobs/:name/runs', {
    config: { scope: 'read' },
    schema: {
      ...shared,
      summary: 'List the runs of a job, newest first',
      description: 'Of the scheduled runs that found nothing to do, only the newest is listed.',
      params: jobParams,
      querystring: listQuery,
      response: { 200: pageOfRuns, ...errorResponses('query', 400, 404, 503, 504) },
    },
    handler: async (request) => {
      const { name } = request.params as Static<typeof jobParams>;
      await inputOfJob(database.db, name, request.operator);
      return pageOf(name, request.query as Static<typeof listQuery>, request.operator);
    },
  });

  server.post('/api/jobs/:name/runs', {
    config: { scope: 'operate' },
    schema: {
      ...shared,
      summary: 'Run a job now',
      description:
        "The body is the input of the run, by the job's `input` schema; it may be left out. The run waits while the job's `concurrency` is used up.",
      params: jobParams,
      body: Type.Object({}, { additionalProperties: true }),
      response: { 202: runSchema, ...errorResponses('query', 400, 404, 413, 503, 504) },
    },
    preValidation: async (request) => {
      request.body ??= {};
    },
    handler: async (request, reply) => {
      const { name } = request.params as Static<typeof jobParams>;
      const { operator } = request;
      const input = request.body as object;
      checkBody(await inputOfJob(database.db, name, operator), input);
      const id = await inTransaction(database, (db) => requestRun(db, { job: name, input, operator }));
      await wakeOrWarn(runRequests, id, logger, { request_id: request.id });
      return (reply as FastifyReply)
        .code(202)
        .header('location', `/api/jobs/runs/${id}`)
        .send(await findRun(database.db, id, operator));
    },
  });

  server.get('/api/jobs/runs/:id', {
    config: { scope: 'read' },
    schema: {
      ...shared,
      summary: 'Show the progress or the result of a run',
      params: uuidParams,
      response: { 200: runSchema, ...errorResponses('query', 400, 404, 503, 504) },
    },
    handler: async (request) =>
      findRun(database.db, (request.params as Static<typeof uuidParams>).id, request.operator),
  });

  server.post('/api/jobs/runs/:id/cancel', {
    config: { scope: 'operate' },
    schema: {
      ...shared,
      summary: 'Cancel a run: a waiting one ends at once, a running one within about a second',
      params: uuidParams,
      body: noBody,
      response: { 200: runSchema, ...errorResponses('query', 400, 404, 409, 503, 504) },
    },
    preValidation: bodyOrNull,
    handler: async (request) => {
      const { id } = request.params as Static<typeof uuidParams>;
      await inTransaction(database, (db) => cancelRun(db, id, request.operator));
      return findRun(database.db, id, request.operator);
    },
  });
}
