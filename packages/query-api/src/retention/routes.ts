import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import { ApiError } from '@sluice/errors/api-errors';
import { errorResponses } from '@sluice/errors/error-schema';
import { inUnitOfWork } from '@sluice/store/entities/unit-of-work';
import { pageProperties, readPage } from '../http/paging.ts';
import { nextCursor } from '../http/schemas.ts';
import type { QueryContext } from '../query-context.ts';
import { days, retentionSchema } from './answers.ts';
import { clearRetention, setRetention } from './commands.ts';
import { listRetention, RETENTION, readTenantRetention } from './rows.ts';

const params = Type.Object({
  tenant: Type.String({ minLength: 1, maxLength: 64, pattern: '^[^\\u0000]*$', description: 'The tenant.' }),
});
const querystring = Type.Object(pageProperties, { additionalProperties: false });
const body = Type.Object(
  { days: days('Counted from when an event was stored; 0 keeps them forever.') },
  { additionalProperties: false },
);

const PATH = '/api/retention/:tenant';
const shared = { tags: ['retention'] };

/** `GET /api/retention`; `GET`, `PUT` and `DELETE /api/retention/{tenant}`. */
export function addRetentionRoutes(server: FastifyInstance, { database }: QueryContext): void {
  server.get('/api/retention', {
    config: { scope: 'read' },
    schema: {
      ...shared,
      summary: 'List the tenants with their own retention',
      description: 'By name. For all other tenants EVENT_RETENTION_DAYS applies. A key of one tenant sees its own.',
      querystring,
      response: {
        200: Type.Object({
          retention: Type.Array(retentionSchema),
          next_cursor: nextCursor,
        }),
        ...errorResponses('query', 400, 503, 504),
      },
    },
    handler: async (request) => {
      const { rows, next } = await readPage(RETENTION, request.query as Static<typeof querystring>, (after, limit) =>
        listRetention(database.db, request.operator, { after, limit }),
      );
      return { retention: rows, next_cursor: next };
    },
  });

  server.get(PATH, {
    config: { scope: 'read' },
    schema: {
      ...shared,
      summary: "Show a tenant's own retention",
      params,
      response: { 200: retentionSchema, ...errorResponses('query', 400, 404, 503, 504) },
    },
    handler: async (request) => {
      const tenant = tenantOf(request);
      const owner = request.operator.tenant;
      if (owner !== null && owner !== tenant) throw otherTenant(owner);
      return readTenantRetention(database.db, tenant);
    },
  });

  server.put(PATH, {
    config: { scope: 'admin' },
    schema: {
      ...shared,
      summary: "Set a tenant's retention",
      description:
        'It may be longer or shorter than EVENT_RETENTION_DAYS. The next run of the job expire-tenant-events deletes what is due, irrevocably. Needs a key of all tenants.',
      params,
      body,
      response: { 200: retentionSchema, ...errorResponses('query', 400, 503, 504) },
    },
    handler: async (request) => {
      const tenant = decidedBy(request);
      const { days: wanted } = request.body as Static<typeof body>;
      return inUnitOfWork(database, (unit) => setRetention(unit, tenant, wanted, request.operator));
    },
  });

  server.delete(PATH, {
    config: { scope: 'admin' },
    schema: {
      ...shared,
      summary: "Delete a tenant's own retention, so that EVENT_RETENTION_DAYS applies",
      description: 'Answers with the deleted retention. Needs a key of all tenants.',
      params,
      response: { 200: retentionSchema, ...errorResponses('query', 400, 404, 503, 504) },
    },
    handler: async (request) => {
      const tenant = decidedBy(request);
      return inUnitOfWork(database, (unit) => clearRetention(unit, tenant, request.operator));
    },
  });
}

const tenantOf = (request: FastifyRequest): string => (request.params as Static<typeof params>).tenant;

/** The tenant of a change. Only operators of all tenants decide on retention: they pay and answer for it. */
function decidedBy(request: FastifyRequest): string {
  const owner = request.operator.tenant;
  if (owner === null) return tenantOf(request);
  if (owner !== tenantOf(request)) throw otherTenant(owner);
  throw new ApiError('forbidden', 'Retention is set with a key of all tenants; a key of one tenant can read it.');
}

function otherTenant(owner: string): ApiError {
  return new ApiError('tenant_mismatch', `This key belongs to the tenant ${owner} and sees no other retention.`);
}
