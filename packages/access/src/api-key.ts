import { randomBytes } from 'node:crypto';
import { sha256 } from './sha256.ts';

/** `slk_`, 16 hexadecimal digits that name the key, and 43 characters of base64url that prove it. */
const FORMAT = /^slk_([0-9a-f]{16})_[A-Za-z0-9_-]{43}$/;

/** A key that was made just now. */
export interface NewKey {
  /** What is looked up; no secret. */
  readonly id: string;
  /** The whole key. Shown once, to the one who asked for it, and stored nowhere. */
  readonly key: string;
  /** SHA-256 of the key. With 256 random bits behind it, it needs neither salt nor a slow hash. */
  readonly digest: Buffer;
}

/** Makes a key that nobody can guess. */
export function makeApiKey(): NewKey {
  const id = randomBytes(8).toString('hex');
  const key = `slk_${id}_${randomBytes(32).toString('base64url')}`;
  return { id, key, digest: sha256(key) };
}

/** The id in a key that Sluice made; null for any other text. */
export function idOfApiKey(key: string): string | null {
  return FORMAT.exec(key)?.[1] ?? null;
}
