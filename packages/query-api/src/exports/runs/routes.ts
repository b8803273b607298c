import type { FastifyInstance, FastifyReply } from 'fastify';
import { type Static, Type } from 'typebox';
import { ApiError } from '@sluice/errors/api-errors';
import { errorResponses } from '@sluice/errors/error-schema';
import { parseTimestamp } from '@sluice/events/timestamp';
import { readExportConfig } from '@sluice/exports/export-config';
import { EXPORT_COMPRESSIONS, EXPORT_FORMATS, formatProblem } from '@sluice/exports/export-formats';
import { wakeOrWarn } from '@sluice/jobs/wake-or-warn';
import { inTransaction } from '@sluice/store/transaction';
import { pageProperties, readPage } from '../../http/paging.ts';
import { bodyOrNull, nextCursor, noBody, oneOf, tenantName, uuidParams } from '../../http/schemas.ts';
import { tenantOf } from '../../http/tenants.ts';
import type { QueryContext } from '../../query-context.ts';
import { requireTenant } from '../known-tenant.ts';
import { exportRunSchema } from './answers.ts';
import { cancelExport, requestExport, retryExport } from './commands.ts';
import { EXPORT_RUNS, EXPORT_STATES, findExportRun, listExportRuns } from './rows.ts';

const runQuery = Type.Object(
  {
    tenant: Type.Optional(tenantName),
    format: Type.Optional(oneOf(EXPORT_FORMATS)),
    compression: Type.Optional(oneOf(EXPORT_COMPRESSIONS)),
    since: Type.Optional(Type.String({ format: 'date-time', description: 'Stored at or after.' })),
    until: Type.Optional(Type.String({ format: 'date-time', description: 'Stored before.' })),
  },
  { additionalProperties: false },
);
const listQuery = Type.Object(
  { ...pageProperties, tenant: Type.Optional(tenantName), state: Type.Optional(oneOf(EXPORT_STATES)) },
  { additionalProperties: false },
);

const shared = { tags: ['exports'] };

/** `POST /export/run`; `GET /export/runs`, and `GET`, retry and cancel of one of them. */
export function addExportRunRoutes(server: FastifyInstance, context: QueryContext): void {
  const { database, exportJobs, logger, config } = context;
  const wake = (id: string, requestId: string) => wakeOrWarn(exportJobs, id, logger, { request_id: requestId });

  server.post('/export/run', {
    config: { scope: 'operate' },
    schema: {
      ...shared,
      summary: 'Export the events that were stored in a span of time',
      description:
        'Files go to the destination of the configuration. Without `since` and `until` everything is exported. Scheduled exports are not changed: they export the same events too.',
      querystring: runQuery,
      body: noBody,
      response: { 202: exportRunSchema, ...errorResponses('query', 400, 404, 503, 504) },
    },
    preValidation: bodyOrNull,
    handler: async (request, reply) => {
      const query = request.query as Static<typeof runQuery>;
      const { operator } = request;
      const db = database.db;
      const tenant = tenantOf(query.tenant, operator);
      const span = spanOf(query);
      await requireTenant(db, tenant);
      const present = await readExportConfig(db, tenant, config.exports);
      const format = query.format ?? present.format;
      // The compression of the configuration is for its own format; another format may not allow it.
      const preset = formatProblem(format, present.compression) === null ? present.compression : 'none';
      const compression = query.compression ?? preset;
      const problem = formatProblem(format, compression);
      if (problem !== null) throw new ApiError('invalid_request', `${problem}.`);
      const id = await inTransaction(database, (transaction) =>
        requestExport(transaction, { config: present, format, compression, ...span }, operator),
      );
      await wake(id, request.id);
      return (reply as FastifyReply)
        .code(202)
        .header('location', `/export/runs/${id}`)
        .send(await findExportRun(db, id, operator, config.exports));
    },
  });

  server.get('/export/runs', {
    config: { scope: 'read' },
    schema: {
      ...shared,
      summary: 'List export runs, newest first',
      querystring: listQuery,
      response: {
        200: Type.Object({ runs: Type.Array(exportRunSchema), next_cursor: nextCursor }),
        ...errorResponses('query', 400, 503, 504),
      },
    },
    handler: async (request) => {
      const { tenant, state, ...page } = request.query as Static<typeof listQuery>;
      const { operator } = request;
      if (tenant !== undefined) tenantOf(tenant, operator);
      const { rows, next } = await readPage(EXPORT_RUNS, page, (after, limit) =>
        listExportRuns(
          database.db,
          { tenant: tenant ?? null, state: state ?? null, after, limit },
          operator,
          config.exports,
        ),
      );
      return { runs: rows, next_cursor: next };
    },
  });

  server.get('/export/runs/:id', {
    config: { scope: 'read' },
    schema: {
      ...shared,
      summary: 'Show the state and progress of an export run',
      params: uuidParams,
      response: { 200: exportRunSchema, ...errorResponses('query', 400, 404, 503, 504) },
    },
    handler: async (request) =>
      findExportRun(database.db, (request.params as Static<typeof uuidParams>).id, request.operator, config.exports),
  });

  for (const step of ['retry', 'cancel'] as const) {
    server.post(`/export/runs/:id/${step}`, {
      config: { scope: 'operate' },
      schema: {
        ...shared,
        summary:
          step === 'retry'
            ? 'Retry a failed export run, and end the pause of the tenant'
            : 'Cancel an export run before it ends; nothing of it is published',
        params: uuidParams,
        body: noBody,
        response: { 200: exportRunSchema, ...errorResponses('query', 400, 404, 409, 503, 504) },
      },
      preValidation: bodyOrNull,
      handler: async (request) => {
        const { id } = request.params as Static<typeof uuidParams>;
        const { operator } = request;
        await inTransaction(database, (db) =>
          step === 'retry' ? retryExport(db, id, operator, config.exports) : cancelExport(db, id, operator),
        );
        await wake(id, request.id);
        return findExportRun(database.db, id, operator, config.exports);
      },
    });
  }
}

/** @throws ApiError `invalid_request` for a span that ends before it begins, or begins in the future */
function spanOf({ since, until }: Static<typeof runQuery>): { since: string | null; until: string | null } {
  const from = since === undefined ? null : parseTimestamp(since);
  const to = until === undefined ? null : parseTimestamp(until);
  if (from !== null && from.ms > Date.now()) {
    throw new ApiError('invalid_request', 'since is in the future, where nothing is stored.');
  }
  // Microseconds count; without the Z, ISO texts compare like times.
  if (from !== null && to !== null && from.iso.slice(0, -1) >= to.iso.slice(0, -1)) {
    throw new ApiError('invalid_request', 'until must lie after since: an export includes since and excludes until.');
  }
  return { since: from?.iso ?? null, until: to?.iso ?? null };
}
