import { createKeyRing, type KeyRing, type KnownKey, refuseTwoOwners } from '@sluice/access/key-ring';
import { configuredPrincipal, DEFAULT_TENANT } from '@sluice/access/principal';
import { sha256 } from '@sluice/access/sha256';

/**
 * Reads the configured keys that may send events: API_KEY and API_KEYS.
 *
 * @param apiKey the key of all tenants
 * @param tenantKeys each `tenant:sha256-in-hex`
 * @param requireKeys true for a ring that is closed even without any key
 * @throws ConfigError when two tenants have the same key: which tenant its events belong to would be chance
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
