import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import { makeApiKey } from '@sluice/access/api-key';
import type { Principal } from '@sluice/access/principal';
import { SCOPES } from '@sluice/access/scopes';
import { NAME_PATTERN } from '@sluice/daemon/config/variables';
import { ApiError } from '@sluice/errors/api-errors';
import { errorResponses } from '@sluice/errors/error-schema';
import { parseTimestamp } from '@sluice/events/timestamp';
import { inUnitOfWork } from '@sluice/store/entities/unit-of-work';
import { pageProperties, readPage } from '../http/paging.ts';
import { nextCursor } from '../http/schemas.ts';
import type { QueryContext } from '../query-context.ts';
import { keyProperties, keySchema, scopesOf } from './answers.ts';
import { createKey, revokeKey, type WantedKey } from './commands.ts';
import { KEYS, listKeys } from './rows.ts';

const NAME = '^[A-Za-z0-9][A-Za-z0-9 _.@-]{0,63}$';

const limit = (description: string) =>
  Type.Optional(
    Type.Unsafe<number | null>({ type: ['integer', 'null'], minimum: 0, maximum: 1_000_000_000, description }),
  );

const createBody = Type.Object(
  {
    name: Type.String({ pattern: NAME, description: 'A name for people. The audit log stores it with the id.' }),
    scopes: scopesOf({
      minItems: 1,
      description: 'What the key may do. Scopes are independent: none includes another.',
    }),
    tenant: Type.Optional(
      Type.Unsafe<string | null>({
        type: ['string', 'null'],
        pattern: `^${NAME_PATTERN}$`,
        description: 'The tenant of the key; null for all tenants. Default: the tenant of the key that makes it.',
      }),
    ),
    expires_at: Type.Optional(
      Type.String({
        format: 'date-time',
        description: 'Not later than the end of the key that makes it. Default: that end, or never.',
      }),
    ),
    requests_per_minute: limit('Replaces RATE_LIMIT_PER_MINUTE for this key; 0 for no limit.'),
    events_per_second: limit('Replaces INGEST_RATE_LIMIT for this key; 0 for no limit.'),
  },
  { additionalProperties: false },
);
const listQuery = Type.Object(
  {
    ...pageProperties,
    revoked: Type.Optional(Type.Boolean({ default: false, description: 'Lists revoked keys too.' })),
  },
  { additionalProperties: false },
);
const keyParams = Type.Object({ id: Type.String({ pattern: '^[0-9a-f]{16}$' }) });

const shared = { tags: ['keys'] };

/** `POST` and `GET /api/keys`, and `DELETE /api/keys/{id}`. */
export function addKeyRoutes(server: FastifyInstance, { config, database, syncedKeys }: QueryContext): void {
  const route = {
    config: { scope: 'admin' as const },
    onRequest: async () => {
      if (!config.configuredKeys.open) return;
      throw new ApiError('forbidden', 'Keys cannot be managed while this instance runs open. Set API_KEY.');
    },
  };

  server.post('/api/keys', {
    ...route,
    schema: {
      ...shared,
      summary: 'Make an API key; only this answer ever shows it',
      description:
        'A new key gets no right that the key which makes it lacks: no other scope or tenant, and no later end. Only a key of all tenants can set limits.',
      body: createBody,
      response: {
        201: Type.Object({
          ...keyProperties,
          key: Type.String({ description: 'The key itself. Only its hash is stored.' }),
        }),
        ...errorResponses('query', 400, 413, 503, 504),
      },
    },
    handler: async (request, reply) => {
      const wanted = grantable(request.body as Static<typeof createBody>, request.operator);
      const made = makeApiKey();
      const listed = await inUnitOfWork(database, (unit) => createKey(unit, made, wanted, request.operator));
      await syncedKeys.refresh();
      return (reply as FastifyReply)
        .code(201)
        .header('cache-control', 'no-store')
        .send({ ...listed, key: made.key });
    },
  });

  server.get('/api/keys', {
    ...route,
    schema: {
      ...shared,
      summary: 'List API keys, without the keys themselves, newest first',
      querystring: listQuery,
      response: {
        200: Type.Object({ keys: Type.Array(keySchema), next_cursor: nextCursor }),
        ...errorResponses('query', 400, 503, 504),
      },
    },
    handler: async (request) => {
      const { revoked = false, ...page } = request.query as Static<typeof listQuery>;
      const { rows, next } = await readPage(KEYS, page, (after, wanted) =>
        listKeys(database.db, { revoked, after, limit: wanted }, request.operator),
      );
      return { keys: rows, next_cursor: next };
    },
  });

  server.delete('/api/keys/:id', {
    ...route,
    schema: {
      ...shared,
      summary: 'Revoke a key: at once at this instance, everywhere within 30 s',
      description: 'Keys that it has made stay valid.',
      params: keyParams,
      response: { 200: keySchema, ...errorResponses('query', 400, 404, 503, 504) },
    },
    handler: async (request: FastifyRequest) => {
      const { id } = request.params as Static<typeof keyParams>;
      const key = await inUnitOfWork(database, (unit) => revokeKey(unit, id, request.operator));
      await syncedKeys.refresh();
      return key;
    },
  });
}

/**
 * The key that a request asks for.
 *
 * @throws ApiError when the maker lacks a right that the new key would have
 */
function grantable(body: Static<typeof createBody>, maker: Principal): WantedKey {
  const { name, tenant = maker.tenant, requests_per_minute: requests, events_per_second: events } = body;
  const beyond = body.scopes.filter((scope) => !maker.scopes.includes(scope));
  if (beyond.length > 0) {
    throw new ApiError('forbidden', `This key lacks the scope "${beyond.join('", "')}", and so can't give it.`);
  }
  if (maker.tenant !== null) {
    if (tenant !== maker.tenant) {
      throw new ApiError('tenant_mismatch', `This key can only make keys of its own tenant (${maker.tenant}).`);
    }
    if (requests !== undefined || events !== undefined) {
      throw new ApiError('forbidden', 'Only a key of all tenants can give limits of its own.');
    }
  }
  const expiresAt = body.expires_at === undefined ? maker.expiresAt : parseTimestamp(body.expires_at)!.ms;
  if (expiresAt !== null && expiresAt <= Date.now()) {
    throw new ApiError('invalid_body', 'expires_at must be in the future.');
  }
  if (maker.expiresAt !== null && expiresAt! > maker.expiresAt) {
    throw new ApiError('forbidden', 'A key can make none that lives longer than itself.');
  }
  return {
    name,
    scopes: SCOPES.filter((scope) => body.scopes.includes(scope)),
    tenant,
    expiresAt: expiresAt === null ? null : new Date(expiresAt).toISOString(),
    requestsPerMinute: requests ?? null,
    eventsPerSecond: events ?? null,
  };
}
