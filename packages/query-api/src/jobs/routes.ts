import type { FastifyInstance, FastifyReply } from 'fastify';
import { type Static, Type } from 'typebox';
import { inTransaction } from '@sluice/store/transaction';
import { errorResponses } from '@sluice/errors/error-schema';
import { messageOf } from '@sluice/errors/message-of';
import { createBodyCheck } from '../http/check-input.ts';
import { pageProperties } from '../http/schemas.ts';
import { cancelRun, requestRun } from './commands.ts';
import { cursorAfterRun, findRun, inputOfJob, listJobs, listRuns, type RunPage, type RunStatus } from './rows.ts';
import type { QueryContext } from '../query-context.ts';
import { jobSchema, runSchema } from './answers.ts';

const jobParams = Type.Object({ name: Type.String({ minLength: 1, maxLength: 100, pattern: '^[a-z0-9-]+$' }) });
const runParams = Type.Object({ id: Type.String({ format: 'uuid' }) });
const listQuery = Type.Object(pageProperties, { additionalProperties: false });
const noBody = Type.Union([Type.Object({}, { additionalProperties: false }), Type.Null()]);
const pageOfRuns = Type.Object({
  runs: Type.Array(runSchema),
  next_cursor: Type.Union([Type.String(), Type.Null()]),
});

const shared = { tags: ['jobs'] };

/** The jobs of the maintenance workers: `GET /api/jobs`, their runs, and asking for one. */
export function addJobRoutes(server: FastifyInstance, { database, runRequests, logger }: QueryContext): void {
  const checkBody = createBodyCheck();

  server.get('/api/jobs', {
    config: { scope: 'read' },
    schema: {
      ...shared,
      summary: 'What the maintenance workers do, when they last did it and when they will again',
      description: 'Jobs are of the whole installation: a key of one tenant sees none.',
      response: { 200: Type.Object({ jobs: Type.Array(jobSchema) }), ...errorResponses('query', 400, 503, 504) },
    },
    handler: async (request) => ({ jobs: await listJobs(database.db, request.operator) }),
  });

  const pageOf = async (page: RunPage, operator: Parameters<typeof listRuns>[2]) => {
    // One more than asked for tells whether there is a next page.
    const found = await listRuns(database.db, { ...page, limit: page.limit + 1 }, operator);
    const runs = found.slice(0, page.limit);
    const last: RunStatus | undefined = found.length > page.limit ? runs.at(-1) : undefined;
    return { runs, next_cursor: last === undefined ? null : cursorAfterRun(last) };
  };

  server.get('/api/jobs/runs', {
    config: { scope: 'read' },
    schema: {
      ...shared,
      summary: 'Runs of all jobs, newest first',
      querystring: listQuery,
      response: { 200: pageOfRuns, ...errorResponses('query', 400, 503, 504) },
    },
    handler: async (request) => {
      const { limit = 50, cursor } = request.query as Static<typeof listQuery>;
      return pageOf({ cursor, limit }, request.operator);
    },
  });

  server.get('/api/jobs/:name/runs', {
    config: { scope: 'read' },
    schema: {
      ...shared,
      summary: 'Runs of a job, newest first',
      description: 'Of scheduled runs that found nothing to do only the newest is kept.',
      params: jobParams,
      querystring: listQuery,
      response: { 200: pageOfRuns, ...errorResponses('query', 400, 404, 503, 504) },
    },
    handler: async (request) => {
      const { name } = request.params as Static<typeof jobParams>;
      const { limit = 50, cursor } = request.query as Static<typeof listQuery>;
      await inputOfJob(database.db, name, request.operator);
      return pageOf({ job: name, cursor, limit }, request.operator);
    },
  });

  server.post('/api/jobs/:name/runs', {
    config: { scope: 'operate' },
    schema: {
      ...shared,
      summary: 'Run a job now',
      description:
        "The body is what the job is told, by its `input` schema; none for nothing. While as many runs are in motion as the job's `concurrency` allows, it waits.",
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
      // A worker that is not woken finds the run by itself within half a minute.
      await runRequests
        .wake(id)
        .catch((error: unknown) =>
          logger.warn({ request_id: request.id, run: id, error: messageOf(error) }, 'nobody could be woken for a run'),
        );
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
      summary: 'How far a run is, or how it ended',
      params: runParams,
      response: { 200: runSchema, ...errorResponses('query', 400, 404, 503, 504) },
    },
    handler: async (request) => findRun(database.db, (request.params as Static<typeof runParams>).id, request.operator),
  });

  server.post('/api/jobs/runs/:id/cancel', {
    config: { scope: 'operate' },
    schema: {
      ...shared,
      summary: 'End a run: one that waits at once, one that runs at its next look, within a second or so',
      params: runParams,
      body: noBody,
      response: { 200: runSchema, ...errorResponses('query', 400, 404, 409, 503, 504) },
    },
    // No body, or an empty object.
    preValidation: async (request) => {
      request.body ??= null;
    },
    handler: async (request) => {
      const { id } = request.params as Static<typeof runParams>;
      await inTransaction(database, (db) => cancelRun(db, id, request.operator));
      return findRun(database.db, id, request.operator);
    },
  });
}
