import type { FastifyInstance } from 'fastify';
import { keyRequired, ownerOfKey } from '@sluice/shared/access/authenticate';
import type { KeyRing } from '@sluice/shared/access/key-ring';
import { ANONYMOUS, type Operator } from './operator-keys.ts';

/** What a key may do: look, mend what is in Sluice, or change who may do what. */
export type Scope = 'read' | 'operate' | 'admin';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a key needs for this route. */
    scope?: Scope;
  }
  interface FastifyRequest {
    /** Who asks; set before any route runs. */
    operator: Operator;
  }
}

/** Lets only requests with a known key through, to all routes of this instance. */
export function addAuthentication(server: FastifyInstance, keys: KeyRing<Operator>): void {
  server.decorateRequest('operator');
  server.addHook('onRequest', async (request) => {
    const operator = keys.open ? ANONYMOUS : ownerOfKey(request.headers, keys);
    if (operator === null) throw keyRequired();
    request.operator = operator;
  });
}
