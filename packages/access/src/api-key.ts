import { randomBytes } from 'node:crypto';
import { sha256 } from './sha256.ts';

/** `slk_`, 16 hexadecimal digits as the id, and 43 characters of base64url as the secret. */
const FORMAT = /^slk_([0-9a-f]{16})_[A-Za-z0-9_-]{43}$/;

/** A new key. */
export interface NewKey {
  /** Finds the key; no secret. */
  readonly id: string;
  /** The whole key. It is shown once, to the caller who made it, and stored nowhere. */
  readonly key: string;
  /** SHA-256 of the key. A key has 256 random bits, so it needs neither a salt nor a slow hash. */
  readonly digest: Buffer;
}

/** Makes a random key. */
export function makeApiKey(): NewKey {
  const id = randomBytes(8).toString('hex');
  const key = `slk_${id}_${randomBytes(32).toString('base64url')}`;
  return { id, key, digest: sha256(key) };
}

/** The id in a key that Sluice made; null for any other text. */
export function idOfApiKey(key: string): string | null {
  return FORMAT.exec(key)?.[1] ?? null;
}
