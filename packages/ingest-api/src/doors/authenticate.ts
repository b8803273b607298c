import type { IncomingHttpHeaders } from 'node:http';
import { keyUnknown, presentedKey, scopeMissing } from '@sluice/access/authenticate';
import type { KeyRing } from '@sluice/access/key-ring';
import { ANYBODY, type Principal } from '@sluice/accept/keys/key-ring';

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
export function authenticate(headers: IncomingHttpHeaders, keys: KeyRing<Principal>): Principal | null {
  if (keys.open) return ANYBODY;
  const key = presentedKey(headers);
  if (key === null) return null;
  const principal = keys.find(key);
  if (principal === null) throw keyUnknown();
  if (!principal.scopes.includes('ingest')) throw scopeMissing('ingest');
  return principal;
}
