import type { FastifyRequest } from 'fastify';
import { keyRequired, requireScope } from '@sluice/access/authenticate';
import { checkNamedTenant } from '@sluice/access/named-tenant';
import { ANONYMOUS, DEFAULT_TENANT, type Principal } from '@sluice/access/principal';
import type { KeyCheck } from '@sluice/access/wrong-keys';
import { ApiError } from '@sluice/errors/api-errors';
import type { Door, ReadBatch } from '@sluice/events/adapters/door';
import type { DoorRequest } from '@sluice/events/adapters/door-request';
import { keyOf } from '@sluice/events/adapters/key-places';
import type { IngestContext } from '../ingest-context.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** The sender. Null while the request has no key but its body may carry one, or needs none. Set before the body is read. */
    principal: Principal | null;
  }
}

/** Dependencies of the functions below. */
type SenderContext = Pick<IngestContext, 'keys' | 'config'> & { readonly keyCheck: KeyCheck };

/**
 * Identifies the sender of a request before its body is read.
 *
 * @returns null for a request without a key whose body may carry one, or needs none
 * @throws ApiError `unauthorized` for an unknown key or none, `forbidden` for a key without the scope `ingest`,
 *   `keys_unavailable` for a key that may be stored while the stored keys are not known yet, `rate_limited` for an
 *   address that sent too many wrong keys
 */
export async function identifySender(
  request: FastifyRequest,
  door: Door,
  { keys, config, keyCheck }: SenderContext,
): Promise<Principal | null> {
  if (keys.open) return ANONYMOUS;
  const { headers, query } = request;
  const key = keyOf({ headers, query: query as DoorRequest['query'] }, door.keys);
  if (key !== null) return findPrincipal(request, key, keyCheck);
  // Requests with a wrong key were refused above. Without a key, the body's key or site decides.
  const bodyDecides = door.keys.some((place) => place.in === 'body') || (door.sites && config.COLLECT_SITES.length > 0);
  if (!bodyDecides) throw keyRequired();
  return null;
}

/** Identifies the sender after the body is read: the body's key counts if the request had none. */
export async function senderOf(
  request: FastifyRequest,
  { key }: ReadBatch,
  { keyCheck }: SenderContext,
): Promise<Principal | null> {
  const { principal } = request;
  return principal === null && key !== undefined ? findPrincipal(request, key, keyCheck) : principal;
}

/**
 * Finds the tenant of a batch: that of the key, or without a key that of the site, if COLLECT_SITES lists it. The key
 * of one tenant cannot be used for another site.
 *
 * @throws ApiError `unauthorized` for a request with neither, `tenant_mismatch` for one that names another tenant
 */
export function tenantOf(
  principal: Principal | null,
  { site, namedTenant }: ReadBatch,
  { keys, config }: Pick<SenderContext, 'keys' | 'config'>,
): string {
  const tenant = ownerOf(principal, site, { keys, config });
  checkNamedTenant(namedTenant, tenant, 'The body');
  return tenant;
}

function ownerOf(
  principal: Principal | null,
  site: ReadBatch['site'],
  { keys, config }: Pick<SenderContext, 'keys' | 'config'>,
): string {
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

async function findPrincipal(request: FastifyRequest, key: string, keyCheck: KeyCheck): Promise<Principal> {
  const principal = await keyCheck.ownerOf(request, key);
  requireScope(principal, 'ingest');
  return principal;
}
