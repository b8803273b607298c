import type { FastifyRequest } from 'fastify';
import { keyRequired, keyUnknown, requireScope } from '@sluice/access/authenticate';
import type { KeyRing } from '@sluice/access/key-ring';
import { checkNamedTenant } from '@sluice/access/named-tenant';
import { ANONYMOUS, DEFAULT_TENANT, type Principal } from '@sluice/access/principal';
import { ApiError } from '@sluice/errors/api-errors';
import type { Door, DoorRequest, ReadBatch } from '@sluice/events/adapters/door';
import { keyOf } from '@sluice/events/adapters/key-places';
import type { IngestContext } from '../ingest-context.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who sends it; null without a key, where its body may bring one or needs none. Set before the body is read. */
    principal: Principal | null;
  }
}

/** What identifying a sender needs. */
type SenderContext = Pick<IngestContext, 'keys' | 'config'>;

/**
 * Whose request it is, before its body is read.
 *
 * @returns null when it carries no key yet, and may go without one or have it in its body
 * @throws ApiError `unauthorized` for a key that is not known or for none, `forbidden` for one without the scope
 *   `ingest`, `keys_unavailable` for one that may be stored, before these are known
 */
export function identifySender(request: FastifyRequest, door: Door, { keys, config }: SenderContext): Principal | null {
  if (keys.open) return ANONYMOUS;
  const { headers, query } = request;
  const key = keyOf({ headers, query: query as DoorRequest['query'] }, door.keys);
  if (key !== null) return findPrincipal(key, keys);
  // A wrong key never gets this far; without one the body decides, by its key or its site.
  const bodyDecides = door.keys.some((place) => place.in === 'body') || (door.sites && config.COLLECT_SITES.length > 0);
  if (!bodyDecides) throw keyRequired();
  return null;
}

/** The same after the body is read: a key that came in it counts where no other did. */
export function senderOf(principal: Principal | null, { key }: ReadBatch, { keys }: SenderContext): Principal | null {
  return principal === null && key !== undefined ? findPrincipal(key, keys) : principal;
}

/**
 * Whose events they are: the key's tenant; without a key the site's, if it is one of COLLECT_SITES. A key that
 * belongs to one tenant can't be used for another site.
 *
 * @throws ApiError `unauthorized` for a request with neither, `tenant_mismatch` for one that names another tenant
 */
export function tenantOf(
  principal: Principal | null,
  { site, namedTenant }: ReadBatch,
  { keys, config }: SenderContext,
): string {
  const tenant = ownerOf(principal, site, { keys, config });
  checkNamedTenant(namedTenant, tenant, 'The body');
  return tenant;
}

function ownerOf(principal: Principal | null, site: ReadBatch['site'], { keys, config }: SenderContext): string {
  const named = site?.value;
  const owner = principal?.tenant ?? null;
  if (owner !== null) {
    if (site !== undefined) checkNamedTenant(named, owner, site.property);
    return owner;
  }
  const listed = typeof named === 'string' && config.COLLECT_SITES.includes(named);
  if (keys.open) return listed ? named : DEFAULT_TENANT;
  if (principal !== null) return DEFAULT_TENANT;
  if (site === undefined) throw keyRequired();
  if (!listed)
    throw new ApiError('unauthorized', 'This site may not send without a key: it is not one of COLLECT_SITES.');
  return named;
}

function findPrincipal(key: string, keys: KeyRing): Principal {
  const principal = keys.find(key);
  if (principal === null) throw keyUnknown();
  requireScope(principal, 'ingest');
  return principal;
}
