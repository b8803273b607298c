/** The consumer group that all writers share. */
export const WRITERS_GROUP = 'writers';

/**
 * Key of one shard. The braces are a hash tag: all keys of a shard lie in one slot of a Redis Cluster, and different
 * shards may lie in different slots.
 */
export function streamKey(namespace: string, shard: number): string {
  return `${namespace}:{events:${shard}}`;
}

/** Pattern that matches the keys of all shards, for SCAN. */
export function streamKeyPattern(namespace: string): string {
  return `${namespace}:{events:*}`;
}

/** Number of a shard, from its key; null when the key is not a shard's. */
export function shardOf(namespace: string, key: string): number | null {
  const prefix = `${namespace}:{events:`;
  if (!key.startsWith(prefix) || !key.endsWith('}')) return null;
  const digits = key.slice(prefix.length, -1);
  return /^\d+$/.test(digits) ? Number(digits) : null;
}

/** Key of the sorted set of all daemons' instances. */
export function daemonsKey(namespace: string): string {
  return `${namespace}:{daemons}`;
}

/** Key of one daemon's state. */
export function daemonKey(namespace: string, instance: string): string {
  return `${daemonsKey(namespace)}:${instance}`;
}
