import { createHash, timingSafeEqual } from 'node:crypto';

/** One key that is known, by its hash. */
export interface KnownKey<Owner> {
  /** SHA-256 of the key. */
  readonly digest: Buffer;
  readonly owner: Owner;
}

/** The known keys, as hashes. */
export interface KeyRing<Owner> {
  /** True when no key is configured at all; decided at boot, never by an empty list later. */
  readonly open: boolean;
  /**
   * Whose key this is; null for a key that is not known. Takes the same time whichever key it is compared
   * with, and whether or not one matches.
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

/** What is kept and compared of a key. */
export function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
