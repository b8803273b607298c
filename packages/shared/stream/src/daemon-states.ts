import type { Redis } from 'ioredis';
import type { DaemonState } from '@sluice/daemon/http/daemon-state';
import { refusalOf } from './redis-refusal.ts';
import { daemonKey, daemonsKey } from './stream-keys.ts';

/** How long a state is believed after it was published, in milliseconds: three reports, so that one may be late. */
const TTL_MS = 15_000;

/** Instances that have not reported for this long are forgotten, in milliseconds. */
const FORGET_MS = 3_600_000;

/** Writes over maxmemory too: that is when operators want to see what is wrong. */
const PUBLISH = `#!lua flags=allow-oom
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[4])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', ARGV[5])
return 1`;

/**
 * Publishes a daemon's state for 15 s: a string of its own, and its instance in a sorted set by the time until which it
 * counts (milliseconds since 1970).
 *
 * @throws when Redis is away or refuses it
 */
async function publishState(redis: Redis, namespace: string, state: DaemonState): Promise<void> {
  const [key, index] = [daemonKey(namespace, state.instance), daemonsKey(namespace)];
  const [json, now] = [JSON.stringify(state), Date.now()];
  try {
    await redis.eval(PUBLISH, 2, key, index, json, TTL_MS, now + TTL_MS, state.instance, now - FORGET_MS);
  } catch (error) {
    // A user without scripts cannot do a writer's work, and must be able to say so.
    if (refusalOf(error)?.code !== 'NOPERM') throw error;
    await redis.set(key, json, 'PX', TTL_MS);
    await redis.zadd(index, String(now + TTL_MS), state.instance);
  }
}

/** Where a daemon's state reports go. */
export function statesIn(
  redis: Redis,
  namespace: string,
): { publish: (state: DaemonState) => Promise<void>; withdraw: (instance: string) => Promise<void> } {
  return {
    publish: (state) => publishState(redis, namespace, state),
    withdraw: (instance) => withdrawState(redis, namespace, instance),
  };
}

/** Removes the state of a daemon that stops. */
async function withdrawState(redis: Redis, namespace: string, instance: string): Promise<void> {
  await redis.del(daemonKey(namespace, instance));
  await redis.zrem(daemonsKey(namespace), instance);
}

/**
 * Reads the states of all daemons that have reported in the last 15 s, by daemon and instance. Redis's own clock decides
 * what is too old, so the clocks of the daemons' hosts may differ.
 */
export async function readStates(redis: Redis, namespace: string): Promise<DaemonState[]> {
  const instances = await redis.zrange(daemonsKey(namespace), '0', '-1');
  if (instances.length === 0) return [];
  const states = await redis.mget(instances.map((instance) => daemonKey(namespace, instance)));
  return states
    .flatMap((json) => (json === null ? [] : [JSON.parse(json) as DaemonState]))
    .toSorted((one, other) => (one.instance < other.instance ? -1 : 1));
}
