import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';
import { ApiError } from '@sluice/errors/api-errors';
import { errorResponses } from '@sluice/errors/error-schema';
import { tenantOf } from '../../http/tenants.ts';
import { requireTenant } from '../known-tenant.ts';
import { pageProperties, tenantName } from '../../http/schemas.ts';
import { readExportStatus } from './rows.ts';
import type { QueryContext } from '../../query-context.ts';
import { exportStatusSchema } from './answers.ts';

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
      summary: 'How the exports stand, tenant by tenant',
      description: 'An operator of all tenants who names none sees each that has a configuration or a run.',
      querystring,
      response: {
        200: Type.Object({
          tenants: Type.Array(exportStatusSchema),
          next_cursor: Type.Union([Type.String(), Type.Null()]),
        }),
        ...errorResponses('query', 400, 404, 503, 504),
      },
    },
    handler: async (request) => {
      const { tenant, limit = 50, cursor } = request.query as Static<typeof querystring>;
      const { operator } = request;
      const db = database.db;
      const settings = config.exports;
      if (tenant !== undefined || operator.tenant !== null) {
        const one = tenantOf(tenant, operator);
        if (tenant !== undefined) await requireTenant(db, one);
        return {
          tenants: await readExportStatus(db, { tenant: one, after: '', limit: 1, settings }),
          next_cursor: null,
        };
      }
      const after = cursor === undefined ? '' : Buffer.from(cursor, 'base64url').toString();
      if (after.includes('\0')) throw new ApiError('invalid_request', 'cursor is not one that a list has given.');
      const found = await readExportStatus(db, { tenant: null, after, limit: limit + 1, settings });
      const tenants = found.slice(0, limit);
      const last = tenants.at(-1);
      const more = found.length > limit && last !== undefined;
      return { tenants, next_cursor: more ? Buffer.from(last.tenant).toString('base64url') : null };
    },
  });
}
