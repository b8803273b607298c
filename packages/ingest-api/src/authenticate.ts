import type { IncomingHttpHeaders } from 'node:http';
import { ownerOfKey } from '@sluice/shared/access/authenticate';
import type { KeyRing } from '@sluice/shared/access/key-ring';
import { DEFAULT_TENANT, type Principal } from './key-ring.ts';

/**
 * Whose request it is, by `X-API-Key: …` or `Authorization: Bearer …`.
 *
 * @returns null when it carries no key although keys are configured
 * @throws ApiError `unauthorized` for a key that is not known
 */
export function authenticate(headers: IncomingHttpHeaders, keys: KeyRing<Principal>): Principal | null {
  return keys.open ? { tenant: DEFAULT_TENANT, bound: false } : ownerOfKey(headers, keys);
}
