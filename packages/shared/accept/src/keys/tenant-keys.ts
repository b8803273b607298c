import { createKeyRing, type KeyRing, type KnownKey, refuseTwoOwners } from '@sluice/access/key-ring';
import { configuredPrincipal, DEFAULT_TENANT } from '@sluice/access/principal';
import { sha256 } from '@sluice/access/sha256';

/**
 * Reads the keys that may send events: API_KEY and API_KEYS.
 *
 * @param apiKey the key of all tenants
 * @param tenantKeys `tenant:sha256-in-hex` each
 * @param requireKeys true for a ring that is not open, however empty it is
 * @throws ConfigError when one key is given to two tenants: whose events it sends would be a matter of luck
 */
export function parseTenantKeys(
  apiKey: string | undefined,
  tenantKeys: readonly string[] | undefined,
  requireKeys: boolean,
): KeyRing {
  const known = (tenantKeys ?? []).map((entry) => {
    const [tenant = '', hash = ''] = entry.split(':');
    return knownKey(Buffer.from(hash, 'hex'), `API_KEYS:${hash.toLowerCase()}`, tenant);
  });
  if (apiKey !== undefined) known.push(knownKey(sha256(apiKey), 'API_KEY', null));
  refuseTwoOwners('API_KEYS', known, ({ tenant }) => tenant ?? DEFAULT_TENANT);
  return createKeyRing(known, apiKey === undefined && tenantKeys === undefined && !requireKeys);
}

function knownKey(digest: Buffer, id: string, tenant: string | null): KnownKey {
  return { digest, owner: configuredPrincipal({ id, name: id, tenant, scopes: ['ingest'] }) };
}
