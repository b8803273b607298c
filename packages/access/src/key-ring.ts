import { timingSafeEqual } from 'node:crypto';
import { sha256 } from './sha256.ts';
import type { StoredKey, StoredKeys } from './stored-keys.ts';

/** One key that is known, by its hash. */
export interface KnownKey<Owner> {
  /** SHA-256 of the key. */
  readonly digest: Buffer;
  readonly owner: Owner;
}

/** The known keys, as hashes. */
export interface KeyRing<Owner> {
  /** True when requests without a key are taken; decided at boot, never by an empty list later. */
  readonly open: boolean;
  /**
   * Whose key this is; null for a key that is not known. Takes the same time whichever key it is compared
   * with, and whether or not one matches.
   *
   * @throws ApiError `keys_unavailable` for what may be a stored key, before these are known
   */
  find(key: string): Owner | null;
}

/** @param open whether requests without a key are taken, because none is configured */
export function createKeyRing<Owner>(known: readonly KnownKey<Owner>[], open: boolean): KeyRing<Owner> {
  return {
    open,
    find(key) {
      const digest = sha256(key);
      let found: Owner | null = null;
      for (const each of known) {
        if (timingSafeEqual(each.digest, digest)) found = each.owner;
      }
      return found;
    },
  };
}

/** The configured keys, and behind them those of the table `api_keys`. */
export function withStoredKeys<Owner>(
  configured: KeyRing<Owner>,
  stored: StoredKeys,
  ownerOf: (key: StoredKey) => Owner,
): KeyRing<Owner> {
  return {
    open: configured.open,
    find(key) {
      const owner = configured.find(key);
      if (owner !== null) return owner;
      const found = stored.find(key);
      return found === null ? null : ownerOf(found);
    },
  };
}
