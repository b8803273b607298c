import type { IncomingHttpHeaders } from 'node:http';
import { ApiError } from '@sluice/errors/api-errors';
import type { Principal } from './principal.ts';
import type { Scope } from './scopes.ts';

/** The key that a request carries, as `X-API-Key: …` or `Authorization: Bearer …`; null for none. */
export function presentedKey(headers: IncomingHttpHeaders): string | null {
  const header = headers['x-api-key'];
  if (typeof header === 'string' && header !== '') return header;
  const bearer = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '');
  return bearer?.[1] ?? null;
}

/** The answer to a request without a key. */
export function keyRequired(): ApiError {
  return new ApiError('unauthorized', 'An API key is needed: send it as X-API-Key or as Authorization: Bearer.');
}

/** The answer to a key that is not known, or was revoked. */
export function keyUnknown(): ApiError {
  return new ApiError('unauthorized', 'The API key is not known, or is no longer valid.');
}

/**
 * Checks that a principal has the scope that a request needs.
 *
 * @throws ApiError `forbidden`
 */
export function requireScope({ scopes }: Pick<Principal, 'scopes'>, scope: Scope): void {
  if (scopes.includes(scope)) return;
  throw new ApiError('forbidden', `This key lacks the scope "${scope}", which this request needs.`);
}
