import type { DoorRequest } from './door-request.ts';

/**
 * Where a client sends its key: as a whole header, as a bearer token, as the user name of Basic authentication, as a query
 * parameter, or in the body. Only the door that reads a body finds the key in it.
 */
export type KeyPlace =
  | { readonly in: 'header'; readonly name: string }
  | { readonly in: 'bearer' }
  | { readonly in: 'basic' }
  | { readonly in: 'query'; readonly name: string }
  | { readonly in: 'body'; readonly name: string };

/** Where Sluice's own doors look for a key. */
export const SLUICE_KEYS: readonly KeyPlace[] = [{ in: 'header', name: 'x-api-key' }, { in: 'bearer' }];

/** The first key that a request carries outside of its body; null for none. */
export function keyOf({ headers, query }: Omit<DoorRequest, 'body'>, places: readonly KeyPlace[]): string | null {
  for (const place of places) {
    const key = keyAt(place, headers, query);
    if (key !== null && key !== '') return key;
  }
  return null;
}

function keyAt(place: KeyPlace, headers: DoorRequest['headers'], query: DoorRequest['query']): string | null {
  switch (place.in) {
    case 'header':
      return textOrNull(headers[place.name]);
    case 'query':
      return textOrNull(query[place.name]);
    case 'bearer':
      return /^Bearer +(\S+)$/i.exec(textOrNull(headers['authorization']) ?? '')?.[1] ?? null;
    case 'basic':
      return basicUser(textOrNull(headers['authorization']) ?? '');
    case 'body':
      break;
  }
  return null;
}

/** The user name of `Basic base64(user:password)`. The password is ignored. */
function basicUser(authorization: string): string | null {
  const encoded = /^Basic +([A-Za-z0-9+/]+={0,2})$/i.exec(authorization)?.[1];
  if (encoded === undefined) return null;
  const pair = Buffer.from(encoded, 'base64').toString();
  const end = pair.indexOf(':');
  return end < 0 ? null : pair.slice(0, end);
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
