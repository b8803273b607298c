import type { Redis } from 'ioredis';
import type { Principal } from '@sluice/access/principal';
import { ApiError } from '@sluice/errors/api-errors';
import type { Database } from '@sluice/store/database';
import { inTransaction } from '@sluice/store/transaction';
import { findShards } from '@sluice/stream/consumer-group';
import { readStalled, setAside, type StalledEntry } from '@sluice/stream/stalled-entries';
import { shardOf } from '@sluice/stream/stream-keys';
import { noteAction } from '../audit/commands.ts';

/** Seconds after which trying again makes sense. */
const RETRY_AFTER_SECONDS = 2;

/** An entry that stalls a writer, as operators see it. */
export interface StalledAnswer {
  readonly shard: number | null;
  readonly id: string;
  readonly code: string;
  readonly message: string;
  readonly since: string;
  readonly consumer: string;
}

/** A queue with its Redis. */
export interface QueueKeys {
  readonly redis: Redis;
  readonly namespace: string;
  readonly shards: number;
}

/**
 * All entries that stall a writer.
 *
 * @throws ApiError `redis_unavailable`
 */
export async function listStalled({ redis, namespace, shards }: QueueKeys): Promise<readonly StalledEntry[]> {
  return ofRedis(async () => {
    const keys = await findShards(redis, namespace, shards);
    return (await Promise.all(keys.map((key) => readStalled(redis, key)))).flat();
  });
}

/** A stalled entry with the number of its shard. */
export function toAnswer({ stream, ...entry }: StalledEntry, namespace: string): StalledAnswer {
  return { shard: shardOf(namespace, stream), ...entry };
}

/** What an operator sets aside. */
export interface SetAsideRequest {
  /** Ids of entries; undefined for all that are stalled. */
  readonly ids: readonly string[] | undefined;
  readonly reason: string;
  readonly operator: Principal;
}

/**
 * Sets stalled entries aside: the writer that holds them makes dead letters of their events. The note in the audit log and
 * the marks in Redis belong together: without the marks there is no note.
 *
 * @returns the entries that were marked; an entry that was stored meanwhile is left out
 * @throws ApiError `conflict` when an id is not one of a stalled entry, or none is; `redis_unavailable`
 */
export async function setEntriesAside(
  database: Database,
  queue: QueueKeys,
  { ids, reason, operator }: SetAsideRequest,
): Promise<readonly StalledAnswer[]> {
  const stalled = await listStalled(queue);
  const chosen = ids === undefined ? stalled : stalled.filter(({ id }) => ids.includes(id));
  const unknown = (ids ?? []).filter((id) => !stalled.some((entry) => entry.id === id));
  if (unknown.length > 0) throw new ApiError('conflict', `These entries stall no writer: ${unknown.join(', ')}.`);
  if (chosen.length === 0) throw new ApiError('conflict', 'No entry stalls a writer.');
  return inTransaction(database, async (db) => {
    const answers = chosen.map((entry) => toAnswer(entry, queue.namespace));
    await noteAction(db, operator, {
      action: 'queue.set_aside',
      affected: chosen.length,
      reason,
      details: { entries: answers },
    });
    const marked = new Set<string>();
    for (const [stream, its] of Map.groupBy(chosen, (entry) => entry.stream)) {
      const wanted = its.map(({ id }) => id);
      const decision = { by: operator.name, note: reason };
      const done = await ofRedis(() => setAside(queue.redis, stream, wanted, decision));
      for (const id of done) marked.add(`${stream} ${id}`);
    }
    return chosen
      .filter(({ stream, id }) => marked.has(`${stream} ${id}`))
      .map((entry) => toAnswer(entry, queue.namespace));
  });
}

async function ofRedis<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const options = { retryAfter: RETRY_AFTER_SECONDS, cause: error };
    throw new ApiError('redis_unavailable', 'Redis cannot be reached.', options);
  }
}
