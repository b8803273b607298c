import { createHash, timingSafeEqual } from 'node:crypto';
import { ConfigError } from '@sluice/shared/runtime/config-error';

/** Tenant of requests that name none: with API_KEY, or when ingest runs open. */
export const DEFAULT_TENANT = 'default';

/** Who a request comes from. */
export interface Principal {
  readonly tenant: string;
  /** True when the key belongs to this tenant alone; false for API_KEY and for an open ingest. */
  readonly bound: boolean;
}

/** The known keys, as hashes. */
export interface KeyRing {
  /** True when no key is configured at all; decided at boot, never by an empty list later. */
  readonly open: boolean;
  /**
   * Whose key this is; null for a key that is not known. Takes the same time whichever key it is compared
   * with, and whether or not one matches.
   */
  find(key: string): Principal | null;
}

/**
 * @param apiKey the key with every right
 * @param tenantKeys `tenant:sha256-in-hex` each
 * @throws ConfigError when one key is given to two owners: whose events it brings would be a matter of luck
 */
export function parseKeyRing(apiKey: string | undefined, tenantKeys: readonly string[] | undefined): KeyRing {
  const known: { digest: Buffer; principal: Principal }[] = (tenantKeys ?? []).map((entry) => {
    const [tenant = '', digest = ''] = entry.split(':');
    return { digest: Buffer.from(digest, 'hex'), principal: { tenant, bound: true } };
  });
  if (apiKey !== undefined) {
    known.push({ digest: sha256(apiKey), principal: { tenant: DEFAULT_TENANT, bound: false } });
  }
  const owners = new Map(known.map(({ digest, principal }) => [digest.toString('hex'), principal.tenant]));
  const shared = known.filter(({ digest, principal }) => owners.get(digest.toString('hex')) !== principal.tenant);
  if (shared.length > 0) {
    throw new ConfigError(
      shared.map(
        ({ digest, principal }) =>
          `API_KEYS has a key of ${principal.tenant} that is also one of ${owners.get(digest.toString('hex'))}`,
      ),
    );
  }
  return {
    open: apiKey === undefined && tenantKeys === undefined,
    find(key) {
      const digest = sha256(key);
      let found: Principal | null = null;
      for (const each of known) {
        if (timingSafeEqual(each.digest, digest)) found = each.principal;
      }
      return found;
    },
  };
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
