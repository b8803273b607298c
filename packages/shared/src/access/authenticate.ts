import type { IncomingHttpHeaders } from 'node:http';
import { ApiError } from '../errors/api-errors.ts';
import type { KeyRing } from './key-ring.ts';

/**
 * Whose key a request carries, as `X-API-Key: …` or `Authorization: Bearer …`.
 *
 * @returns null when it carries none
 * @throws ApiError `unauthorized` for a key that is not known
 */
export function ownerOfKey<Owner>(headers: IncomingHttpHeaders, keys: KeyRing<Owner>): Owner | null {
  const key = presentedKey(headers);
  if (key === null) return null;
  const owner = keys.find(key);
  if (owner === null) throw new ApiError('unauthorized', 'The API key is not known.');
  return owner;
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
