import { createKeyRing, type KeyRing, type KnownKey, sha256 } from '@sluice/shared/access/key-ring';
import { refuseSharedKeys } from '@sluice/shared/access/shared-keys';

/** Tenant of requests that name none: with API_KEY, or when ingest runs open. */
export const DEFAULT_TENANT = 'default';

/** Who a request comes from. */
export interface Principal {
  readonly tenant: string;
  /** True when the key belongs to this tenant alone; false for API_KEY and for an open ingest. */
  readonly bound: boolean;
}

/**
 * @param apiKey the key with every right
 * @param tenantKeys `tenant:sha256-in-hex` each
 * @throws ConfigError when one key is given to two owners: whose events it brings would be a matter of luck
 */
export function parseKeyRing(
  apiKey: string | undefined,
  tenantKeys: readonly string[] | undefined,
): KeyRing<Principal> {
  const known: KnownKey<Principal>[] = (tenantKeys ?? []).map((entry) => {
    const [tenant = '', digest = ''] = entry.split(':');
    return { digest: Buffer.from(digest, 'hex'), owner: { tenant, bound: true } };
  });
  if (apiKey !== undefined) {
    known.push({ digest: sha256(apiKey), owner: { tenant: DEFAULT_TENANT, bound: false } });
  }
  refuseSharedKeys('API_KEYS', known, ({ tenant }) => tenant);
  return createKeyRing(known, apiKey === undefined && tenantKeys === undefined);
}
