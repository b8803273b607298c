import { timingSafeEqual } from 'node:crypto';
import { ConfigError } from '@sluice/daemon/config/config-error';
import { type Principal, principalOf } from './principal.ts';
import { sha256 } from './sha256.ts';
import type { StoredKeys } from './stored-keys.ts';

/** One key that is known, by its hash. */
export interface KnownKey {
  /** SHA-256 of the key. */
  readonly digest: Buffer;
  readonly owner: Principal;
}

/** The known keys, as hashes. */
export interface KeyRing {
  /** True when requests without a key are served. Decided at the start, never by an empty list later. */
  readonly open: boolean;
  /**
   * Finds the owner of a key; null for an unknown key. Takes the same time whichever key matches, and when none does.
   *
   * @throws ApiError `keys_unavailable` for what may be a stored key, before these are known
   */
  find(key: string): Principal | null;
}

/** @param open whether requests without a key are served, because none is configured */
export function createKeyRing(known: readonly KnownKey[], open: boolean): KeyRing {
  return {
    open,
    find(key) {
      const digest = sha256(key);
      let found: Principal | null = null;
      for (const each of known) {
        if (timingSafeEqual(each.digest, digest)) found = each.owner;
      }
      return found;
    },
  };
}

/** Looks up the configured keys first, then those of the table `api_keys`. */
export function withStoredKeys(configured: KeyRing, stored: StoredKeys): KeyRing {
  return {
    open: configured.open,
    find(key) {
      const owner = configured.find(key);
      if (owner !== null) return owner;
      const found = stored.find(key);
      return found === null ? null : principalOf(found);
    },
  };
}

/**
 * Checks that no key belongs to two owners: the order of the list would decide whose it is.
 *
 * @param variable the variable that the keys come from
 * @throws ConfigError naming the owners, and not the key
 */
export function refuseTwoOwners(
  variable: string,
  known: readonly KnownKey[],
  nameOf: (owner: Principal) => string,
): void {
  const owners = new Map(known.map(({ digest, owner }) => [digest.toString('hex'), nameOf(owner)]));
  const problems = known.flatMap(({ digest, owner }) => {
    const other = owners.get(digest.toString('hex'));
    return other === nameOf(owner) ? [] : [`${variable} has a key of ${nameOf(owner)} that is also one of ${other}`];
  });
  if (problems.length > 0) throw new ConfigError(problems);
}
