import type { IncomingHttpHeaders } from 'node:http';
import { ApiError } from '@sluice/errors/api-errors';
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

/** The answer to a key that nobody has, or no longer. */
export function keyUnknown(): ApiError {
  return new ApiError('unauthorized', 'The API key is not known, or is no longer good.');
}

/** The answer to a key that may not do what was asked. */
export function scopeMissing(scope: Scope): ApiError {
  return new ApiError('forbidden', `This key lacks the scope "${scope}", which this request needs.`);
}
