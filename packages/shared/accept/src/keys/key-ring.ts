import { createKeyRing, type KeyRing, type KnownKey } from '@sluice/access/key-ring';
import type { Scope } from '@sluice/access/scopes';
import { sha256 } from '@sluice/access/sha256';
import { refuseSharedKeys } from '@sluice/access/shared-keys';
import type { StoredKey } from '@sluice/access/stored-keys';

/** Tenant of requests that name none: with API_KEY or a key of all tenants, or when ingest runs open. */
export const DEFAULT_TENANT = 'default';

/** Who a request comes from. */
export interface Principal {
  /** What a quota is counted for: the key. */
  readonly id: string;
  readonly tenant: string;
  /** True when the key belongs to this tenant alone; false for API_KEY and for an open ingest. */
  readonly bound: boolean;
  readonly scopes: readonly Scope[];
  /** The key's own quota; null for INGEST_RATE_LIMIT. */
  readonly eventsPerSecond: number | null;
}

/** Who a request comes from when ingest runs open; without keys there are no quotas. */
export const ANYBODY: Principal = { ...principal('anybody', DEFAULT_TENANT, false), eventsPerSecond: 0 };

/**
 * @param apiKey the key with every right
 * @param tenantKeys `tenant:sha256-in-hex` each
 * @param requireKeys true for a ring that is not open, however empty it is
 * @throws ConfigError when one key is given to two owners: whose events it brings would be a matter of luck
 */
export function parseKeyRing(
  apiKey: string | undefined,
  tenantKeys: readonly string[] | undefined,
  requireKeys: boolean,
): KeyRing<Principal> {
  const known: KnownKey<Principal>[] = (tenantKeys ?? []).map((entry) => {
    const [tenant = '', hash = ''] = entry.split(':');
    return { digest: Buffer.from(hash, 'hex'), owner: principal(`API_KEYS:${hash.toLowerCase()}`, tenant, true) };
  });
  if (apiKey !== undefined) {
    known.push({ digest: sha256(apiKey), owner: principal('API_KEY', DEFAULT_TENANT, false) });
  }
  refuseSharedKeys('API_KEYS', known, ({ tenant }) => tenant);
  return createKeyRing(known, apiKey === undefined && tenantKeys === undefined && !requireKeys);
}

/** Who comes with a stored key; one of all tenants brings events of the tenant `default`, as API_KEY does. */
export function principalOf({ id, tenant, scopes, eventsPerSecond }: StoredKey): Principal {
  return { id, tenant: tenant ?? DEFAULT_TENANT, bound: tenant !== null, scopes, eventsPerSecond };
}

function principal(id: string, tenant: string, bound: boolean): Principal {
  return { id, tenant, bound, scopes: ['ingest'], eventsPerSecond: null };
}
