import type { Redis } from 'ioredis';
import { messageOf } from '@sluice/errors/message-of';
import { type Conservation, readConservation } from '@sluice/stream/conservation';
import { findShards } from '@sluice/stream/consumer-group';
import { measureShard, timeOfEntry } from '@sluice/stream/measure-shard';
import { shardOf, WRITERS_GROUP } from '@sluice/stream/stream-keys';

/** A writer, as Redis knows it on one shard. */
export interface Consumer {
  readonly name: string;
  /** Entries that it has read and not acknowledged. */
  readonly pending: number;
  /** Milliseconds since it last asked for entries. */
  readonly idle_ms: number;
  /** Milliseconds since it last got any; null for one that never did. */
  readonly inactive_ms: number | null;
  readonly last_progress_at: string | null;
}

/** Whether every entry of a shard is accounted for: see `conservation` in @sluice/stream. */
export interface ConservationStatus {
  readonly entries: {
    /** Ever added to the stream. */
    readonly added: number;
    /** Deleted by a writer after their COMMIT. */
    readonly settled: number;
    /** A writer holds or will read them. */
    readonly waiting: number;
    /** Delivered, and held by no writer; writers take them back. */
    readonly orphaned: number;
    /**
     * added − settled − waiting − orphaned, since the first was settled. Above 0: entries left the stream without a COMMIT.
     * Below 0: the stream was made again.
     */
    readonly drift: number;
  };
  readonly events: {
    /** Acknowledged with settled entries. */
    readonly settled: number;
    readonly stored: number;
    readonly duplicate: number;
    readonly dead: number;
    /** settled − stored − duplicate − dead: not 0 when an entry lacked an event, or a writer lost count. */
    readonly drift: number;
  };
}

/** One shard of the queue. */
export interface ShardStatus {
  readonly shard: number | null;
  readonly length: number;
  readonly bytes: number;
  /** Entries that writers have read and not acknowledged. */
  readonly pending: number;
  /** Entries that no writer has read; null when Redis cannot tell. */
  readonly lag: number | null;
  readonly oldest_age_seconds: number | null;
  readonly conservation: ConservationStatus;
  readonly consumers: readonly Consumer[];
}

/** Reads the state of every shard, by the clock of Redis. */
export async function readQueue(redis: Redis, namespace: string, shards: number): Promise<readonly ShardStatus[]> {
  const keys = await findShards(redis, namespace, shards);
  const [seconds, microseconds] = await redis.time();
  const now = Number(seconds) * 1000 + Number(microseconds) / 1000;
  return Promise.all(keys.map((key) => readShard(redis, namespace, key, now)));
}

async function readShard(redis: Redis, namespace: string, key: string, now: number): Promise<ShardStatus> {
  const [size, conservation, groups, consumers] = await Promise.all([
    measureShard(redis, key),
    readConservation(redis, key),
    listed(redis.xinfo('GROUPS', key)),
    listed(redis.xinfo('CONSUMERS', key, WRITERS_GROUP)),
  ]);
  const group = groups.find((each) => each['name'] === WRITERS_GROUP);
  const age = size.oldestId === null ? null : Math.max(0, now - timeOfEntry(size.oldestId)) / 1000;
  return {
    shard: shardOf(namespace, key),
    length: size.length,
    bytes: size.bytes,
    pending: Number(group?.['pending'] ?? 0),
    lag: group?.['lag'] === undefined || group['lag'] === null ? null : Number(group['lag']),
    oldest_age_seconds: age === null ? null : Math.round(age * 1000) / 1000,
    conservation: statusOf(conservation),
    consumers: consumers.map((each) => consumerOf(each, now)),
  };
}

function statusOf(counts: Conservation): ConservationStatus {
  const { added, settled, waiting, orphaned, events, stored, duplicate, dead, driftEntries, driftEvents } = counts;
  return {
    entries: { added, settled, waiting, orphaned, drift: driftEntries },
    events: { settled: events, stored, duplicate, dead, drift: driftEvents },
  };
}

function consumerOf(fields: Record<string, unknown>, now: number): Consumer {
  // Redis 7.0 has no `inactive`. Redis 7.2 and later have -1 for a consumer that never got an entry.
  const inactive = fields['inactive'] === undefined ? null : Number(fields['inactive']);
  const since = inactive === null || inactive < 0 ? null : inactive;
  return {
    name: String(fields['name']),
    pending: Number(fields['pending'] ?? 0),
    idle_ms: Number(fields['idle'] ?? 0),
    inactive_ms: since,
    last_progress_at: since === null ? null : new Date(now - since).toISOString(),
  };
}

/** Reads a reply of names and values. A stream or a group that does not exist yet gives none. */
async function listed(reply: Promise<unknown>): Promise<Record<string, unknown>[]> {
  try {
    return ((await reply) as unknown[][]).map((fields) =>
      Object.fromEntries(
        Array.from({ length: fields.length / 2 }, (_, at) => [String(fields[at * 2]), fields[at * 2 + 1]]),
      ),
    );
  } catch (error) {
    if (/no such key|NOGROUP/i.test(messageOf(error))) return [];
    throw error;
  }
}
