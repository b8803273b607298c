import type { FastifyInstance, FastifyRequest } from 'fastify';
import { keyRequired, presentedKey, requireScope } from '@sluice/access/authenticate';
import type { KeyRing } from '@sluice/access/key-ring';
import { ANONYMOUS, type Principal } from '@sluice/access/principal';
import type { Scope as KeyScope } from '@sluice/access/scopes';
import { createKeyCheck } from '@sluice/access/wrong-keys';
import { errorResponses } from '@sluice/errors/error-schema';

/** The scope that a route needs. `ingest` belongs to the other API. */
export type Scope = Exclude<KeyScope, 'ingest'>;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The scope that this route needs. */
    scope?: Scope;
  }
  interface FastifyRequest {
    /** The caller; set before any route runs. */
    operator: Principal;
  }
}

/**
 * Authenticates and authorizes: only a request whose key is known and has the scope of the route gets through. Holds for
 * all routes that are added to this instance afterwards, and is decided nowhere else.
 */
export async function addAuthentication(
  server: FastifyInstance,
  keys: KeyRing,
  countsWrongKeys: boolean,
): Promise<void> {
  const keyCheck = await createKeyCheck(server, keys, countsWrongKeys);
  server.decorateRequest('operator');
  server.addHook('onRoute', (route) => {
    const scope = route.config?.scope;
    // A route without a scope would be open to every key, so the server does not start with one.
    if (scope === undefined) throw new Error(`${String(route.method)} ${route.url} does not say which scope it needs`);
    route.schema = {
      ...route.schema,
      security: [{ apiKey: [scope] }, { bearer: [scope] }, ...(keys.open ? [{}] : [])],
      description: [route.schema?.description, `Needs the scope \`${scope}\`.`].filter(Boolean).join('\n\n'),
      response: {
        ...(route.schema?.response as object),
        ...errorResponses('query', 401, 403, 429, 431, ...(keys.open ? [415, 421] : [])),
      },
    };
  });
  server.addHook('onRequest', async (request) => {
    request.operator = keys.open ? ANONYMOUS : await caller(request);
    const scope = request.routeOptions.config.scope!;
    requireScope(request.operator, scope);
  });

  async function caller(request: FastifyRequest): Promise<Principal> {
    const key = presentedKey(request.headers);
    if (key === null) throw keyRequired();
    return keyCheck.ownerOf(request, key);
  }
}
