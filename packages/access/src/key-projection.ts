import type { StoredKey } from './stored-keys.ts';

/** Version of the text's layout. */
const VERSION = 1;

/** Redis key of the set of good keys, one string. The braces are a hash tag: both keys are in one slot of a cluster. */
export function keySetKey(namespace: string): string {
  return `${namespace}:{keys}`;
}

/** Redis key of a hash: when ingest saw which key last, in milliseconds. */
export function keyUsesKey(namespace: string): string {
  return `${namespace}:{keys}:used`;
}

/** The whole set as one text: it is replaced by one SET, so no reader ever sees half of it. */
export function encodeKeySet(keys: readonly StoredKey[]): string {
  return JSON.stringify({ v: VERSION, keys: keys.map((key) => ({ ...key, digest: key.digest.toString('hex') })) });
}

/** @throws when the text is not a set that this version reads; the caller keeps the one that it has */
export function decodeKeySet(text: string): StoredKey[] {
  const set = JSON.parse(text) as { v: number; keys: (Omit<StoredKey, 'digest'> & { digest: string })[] };
  if (set.v !== VERSION) throw new Error(`the set of keys has version ${set.v}; this Sluice reads ${VERSION}`);
  return set.keys.map((key) => ({ ...key, digest: Buffer.from(key.digest, 'hex') }));
}
