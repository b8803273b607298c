import type { StoredKey } from './stored-keys.ts';

/** Version of the text's layout. */
const VERSION = 1;

/** Redis key of the set of valid keys, a string. The braces are a hash tag: both keys are in one slot of a cluster. */
export function keySetKey(namespace: string): string {
  return `${namespace}:{keys}`;
}

/** Redis key of a hash: the last use of each key at ingest, in milliseconds since 1970. */
export function keyUsesKey(namespace: string): string {
  return `${namespace}:{keys}:used`;
}

/** Writes the whole set as one text. One SET replaces it, so no reader sees half of it. */
export function encodeKeySet(keys: readonly StoredKey[]): string {
  return JSON.stringify({ v: VERSION, keys: keys.map((key) => ({ ...key, digest: key.digest.toString('hex') })) });
}

/** @throws when this version cannot read the text; the caller retains the set that it has */
export function decodeKeySet(text: string): StoredKey[] {
  const set = JSON.parse(text) as { v: number; keys: (Omit<StoredKey, 'digest'> & { digest: string })[] };
  if (set.v !== VERSION) throw new Error(`the set of keys has version ${set.v}; this Sluice reads ${VERSION}`);
  return set.keys.map((key) => ({ ...key, digest: Buffer.from(key.digest, 'hex') }));
}
