import type { IncomingHttpHeaders } from 'node:http';
import { keyUnknown, presentedKey, requireScope } from '@sluice/access/authenticate';
import type { KeyRing } from '@sluice/access/key-ring';
import { ANONYMOUS, type Principal } from '@sluice/access/principal';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who sends it; null without a key, where one is not needed. Set before the body is read. */
    principal: Principal | null;
  }
}

/**
 * Whose request it is, by `X-API-Key: …` or `Authorization: Bearer …`.
 *
 * @returns null when it carries no key although ingest does not run open
 * @throws ApiError `unauthorized` for a key that is not known, `forbidden` for one without the scope `ingest`,
 *   `keys_unavailable` for one that may be stored, before these are known
 */
export function authenticate(headers: IncomingHttpHeaders, keys: KeyRing): Principal | null {
  if (keys.open) return ANONYMOUS;
  const key = presentedKey(headers);
  if (key === null) return null;
  const principal = keys.find(key);
  if (principal === null) throw keyUnknown();
  requireScope(principal, 'ingest');
  return principal;
}
