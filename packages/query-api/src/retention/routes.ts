import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import { inTransaction } from '@sluice/store/transaction';
import { ApiError } from '@sluice/errors/api-errors';
import { errorResponses } from '@sluice/errors/error-schema';
import { pageProperties } from '../http/schemas.ts';
import { days, retentionSchema } from './answers.ts';
import { clearRetention, setRetention } from './commands.ts';
import { listRetention, readTenantRetention } from './rows.ts';
import type { QueryContext } from '../query-context.ts';

const params = Type.Object({
  tenant: Type.String({ minLength: 1, maxLength: 64, pattern: '^[^\\u0000]*$', description: 'Whose events.' }),
});
const querystring = Type.Object(pageProperties, { additionalProperties: false });
const body = Type.Object(
  { days: days('Counted from when an event was stored; 0 keeps for ever.') },
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
      summary: 'Tenants whose events are kept for another time than EVENT_RETENTION_DAYS',
      description: 'By name. A key of one tenant sees that of its tenant.',
      querystring,
      response: {
        200: Type.Object({
          retention: Type.Array(retentionSchema),
          next_cursor: Type.Unsafe<string | null>({ type: ['string', 'null'] }),
        }),
        ...errorResponses('query', 400, 503, 504),
      },
    },
    handler: async (request) => {
      const { limit = 50, cursor } = request.query as Static<typeof querystring>;
      const after = cursor === undefined ? '' : Buffer.from(cursor, 'base64url').toString();
      if (after.includes('\0')) throw new ApiError('invalid_request', 'cursor is not one that a list has given.');
      const rows = await listRetention(database.db, request.operator, { after, limit: limit + 1 });
      const retention = rows.slice(0, limit);
      const last = retention.at(-1);
      return {
        retention,
        next_cursor: rows.length > limit && last !== undefined ? Buffer.from(last.tenant).toString('base64url') : null,
      };
    },
  });

  server.get(PATH, {
    config: { scope: 'read' },
    schema: {
      ...shared,
      summary: "One tenant's retention, if it has one of its own",
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
        'Longer or shorter than EVENT_RETENTION_DAYS. What is due goes with the next run of the job expire-tenant-events, for good. Needs a key of all tenants.',
      params,
      body,
      response: { 200: retentionSchema, ...errorResponses('query', 400, 503, 504) },
    },
    handler: async (request) => {
      const tenant = decidedBy(request);
      const { days: wanted } = request.body as Static<typeof body>;
      return inTransaction(database, (db) => setRetention(db, tenant, wanted, request.operator));
    },
  });

  server.delete(PATH, {
    config: { scope: 'admin' },
    schema: {
      ...shared,
      summary: 'Let EVENT_RETENTION_DAYS hold for a tenant again',
      description: 'Answers with what held until now. Needs a key of all tenants.',
      params,
      response: { 200: retentionSchema, ...errorResponses('query', 400, 404, 503, 504) },
    },
    handler: async (request) => {
      const tenant = decidedBy(request);
      return inTransaction(database, (db) => clearRetention(db, tenant, request.operator));
    },
  });
}

const tenantOf = (request: FastifyRequest): string => (request.params as Static<typeof params>).tenant;

/** A tenant does not decide how long it is kept for: who runs the server pays for it, and answers for it. */
function decidedBy(request: FastifyRequest): string {
  const owner = request.operator.tenant;
  if (owner === null) return tenantOf(request);
  if (owner !== tenantOf(request)) throw otherTenant(owner);
  throw new ApiError('forbidden', 'Retention is set with a key of all tenants; a key of one tenant can read it.');
}

function otherTenant(owner: string): ApiError {
  return new ApiError('tenant_mismatch', `This key is of the tenant ${owner}, and sees no other's retention.`);
}
