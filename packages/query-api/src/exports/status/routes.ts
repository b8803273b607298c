import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';
import { errorResponses } from '@sluice/errors/error-schema';
import { pageProperties, readPage } from '../../http/paging.ts';
import { nextCursor, tenantName } from '../../http/schemas.ts';
import { tenantOf } from '../../http/tenants.ts';
import type { QueryContext } from '../../query-context.ts';
import { requireTenant } from '../known-tenant.ts';
import { exportStatusSchema } from './answers.ts';
import { EXPORTING_TENANTS, readExportStatus } from './rows.ts';

const querystring = Type.Object(
  { ...pageProperties, tenant: Type.Optional(tenantName) },
  { additionalProperties: false },
);

/** `GET /export/status`: runs, rows, bytes, last error and next run of each tenant. */
export function addExportStatusRoute(server: FastifyInstance, { database, config }: QueryContext): void {
  server.get('/export/status', {
    config: { scope: 'read' },
    schema: {
      tags: ['exports'],
      summary: 'Show the state of the exports, tenant by tenant',
      description: 'Without `tenant`, a key of all tenants sees every tenant that has a configuration or a run.',
      querystring,
      response: {
        200: Type.Object({
          tenants: Type.Array(exportStatusSchema),
          next_cursor: nextCursor,
        }),
        ...errorResponses('query', 400, 404, 503, 504),
      },
    },
    handler: async (request) => {
      const { tenant, ...page } = request.query as Static<typeof querystring>;
      const { operator } = request;
      const db = database.db;
      const settings = config.exports;
      if (tenant !== undefined || operator.tenant !== null) {
        const one = tenantOf(tenant, operator);
        if (tenant !== undefined) await requireTenant(db, one);
        return {
          tenants: await readExportStatus(db, { tenant: one, after: undefined, limit: 1, settings }),
          next_cursor: null,
        };
      }
      const { rows, next } = await readPage(EXPORTING_TENANTS, page, (after, limit) =>
        readExportStatus(db, { tenant: null, after, limit, settings }),
      );
      return { tenants: rows, next_cursor: next };
    },
  });
}
