import type { FastifyInstance, FastifyRequest } from 'fastify';
import { keyRequired, keyUnknown, presentedKey, requireScope } from '@sluice/access/authenticate';
import type { KeyRing } from '@sluice/access/key-ring';
import { ANONYMOUS, type Principal } from '@sluice/access/principal';
import type { Scope as KeyScope } from '@sluice/access/scopes';
import { errorResponses } from '@sluice/errors/error-schema';
import type { WrongKeys } from './rate-limits.ts';

/** What a key needs for a route here; `ingest` is of the other API. */
export type Scope = Exclude<KeyScope, 'ingest'>;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a key needs for this route. */
    scope?: Scope;
  }
  interface FastifyRequest {
    /** Who asks; set before any route runs. */
    operator: Principal;
  }
}

/**
 * Lets only requests with a known key that has the route's scope through, to all routes that are added to this
 * instance afterwards. The one place where that is decided.
 */
export function addAuthentication(server: FastifyInstance, keys: KeyRing, wrongKeys: WrongKeys): void {
  server.decorateRequest('operator');
  server.addHook('onRoute', (route) => {
    const scope = route.config?.scope;
    // A route that nobody thought about must not start, or it would be open to every key.
    if (scope === undefined) throw new Error(`${String(route.method)} ${route.url} does not say which scope it needs`);
    route.schema = {
      ...route.schema,
      security: [{ apiKey: [scope] }, { bearer: [scope] }, ...(keys.open ? [{}] : [])],
      description: [route.schema?.description, `Needs the scope \`${scope}\`.`].filter(Boolean).join('\n\n'),
      response: { ...(route.schema?.response as object), ...errorResponses('query', 401, 403, 429, 431) },
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
    await wrongKeys.check(request, key);
    const found = keys.find(key);
    if (found !== null) return found;
    await wrongKeys.count(request);
    throw keyUnknown();
  }
}
