import type { IncomingHttpHeaders } from 'node:http';
import { ApiError } from '@sluice/shared/errors/api-errors';
import { DEFAULT_TENANT, type KeyRing, type Principal } from './key-ring.ts';

/**
 * Whose request it is, by `X-API-Key: …` or `Authorization: Bearer …`.
 *
 * @returns null when it carries no key although keys are configured
 * @throws ApiError `unauthorized` for a key that is not known
 */
export function authenticate(headers: IncomingHttpHeaders, keys: KeyRing): Principal | null {
  if (keys.open) return { tenant: DEFAULT_TENANT, bound: false };
  const key = presentedKey(headers);
  if (key === null) return null;
  const principal = keys.find(key);
  if (principal === null) throw new ApiError('unauthorized', 'The API key is not known.');
  return principal;
}

/** The answer to a request without a key. */
export function keyRequired(): ApiError {
  return new ApiError('unauthorized', 'An API key is needed: send it as X-API-Key or as Authorization: Bearer.');
}

function presentedKey(headers: IncomingHttpHeaders): string | null {
  const header = headers['x-api-key'];
  if (typeof header === 'string' && header !== '') return header;
  const bearer = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '');
  return bearer?.[1] ?? null;
}

/**
 * Checks what the body says about its owner. A key's tenant always wins, so a body that names another one
 * is a mistake or an attack, and is refused as a whole.
 *
 * @throws ApiError `tenant_mismatch`
 */
export function checkNamedTenant(named: unknown, tenant: string, where: string): void {
  if (named === undefined || named === null || named === tenant) return;
  throw new ApiError('tenant_mismatch', `${where} names another tenant than the one of this key (${tenant}).`);
}
