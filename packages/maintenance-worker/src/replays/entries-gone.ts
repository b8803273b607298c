import type { Redis } from 'ioredis';
import { findShards } from '@sluice/stream/consumer-group';

/** A time on the streams: an entry id. */
export type Horizon = string;

/** Returns an id that all entries added from now on exceed. */
export async function horizonNow(redis: Redis): Promise<Horizon> {
  const [seconds, microseconds] = await redis.time();
  return `${Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000)}-${Number.MAX_SAFE_INTEGER}`;
}

/**
 * Whether no shard holds an entry up to the horizon. A writer deletes an entry only after COMMIT, so entries added
 * before the horizon are then settled in Postgres, or lost with the stream (FLUSHALL).
 */
export async function entriesGone(redis: Redis, namespace: string, horizon: Horizon): Promise<boolean> {
  const keys = await findShards(redis, namespace, 1);
  const oldest = await Promise.all(keys.map((key) => redis.xrange(key, '-', '+', 'COUNT', 1)));
  return oldest.every(([entry]) => entry === undefined || isAfter(entry[0], horizon));
}

function isAfter(id: string, horizon: Horizon): boolean {
  const [ms = 0, sequence = 0] = id.split('-').map(Number);
  const [horizonMs = 0, horizonSequence = 0] = horizon.split('-').map(Number);
  return ms > horizonMs || (ms === horizonMs && sequence > horizonSequence);
}
