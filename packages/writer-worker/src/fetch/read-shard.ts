import type { Redis } from 'ioredis';
import { messageOf } from '@sluice/errors/message-of';
import type { RawEntry } from '@sluice/store/write/decode-entry';
import { requireCommands } from '@sluice/stream/required-commands';
import { WRITERS_GROUP } from '@sluice/stream/stream-keys';
import type { BeforeRead, KnownStream } from './known-stream.ts';
import { type GroupLoss, restoreGroup } from './restore-group.ts';

/** Entries in a reply of XREADGROUP or XAUTOCLAIM. The fields of an entry that was deleted meanwhile are null. */
export type StreamReply = [id: Buffer, fields: Buffer[] | null][];

/** Who reads which shard, and what to do when the group is gone. */
export interface ShardReading {
  readonly key: string;
  readonly consumer: string;
  /** What the reader knows of the stream. */
  readonly known: KnownStream;
  /** Called after a missing group was made again; reading continues. */
  readonly onGroupGone: (loss: GroupLoss) => void;
}

/** Reads up to `count` entries of one shard that no consumer has read yet, waiting at most `blockMs`. */
export async function readNewEntries(
  redis: Redis,
  reading: ShardReading,
  count: number,
  blockMs: number,
): Promise<RawEntry[]> {
  const { key, consumer, known } = reading;
  const reply = await readGroup(redis, reading, async () => {
    // In one write, so that Redis runs them one after another: what the first two find is so when the read begins to wait.
    const replies = await redis
      .pipeline()
      .xlen(key)
      .xpending(key, WRITERS_GROUP)
      .xreadgroupBuffer('GROUP', WRITERS_GROUP, consumer, 'COUNT', count, 'BLOCK', blockMs, 'STREAMS', key, '>')
      .exec();
    const [length, pending, read] = replies as [Reply<number>, Reply<PendingSummary>, Reply<unknown>];
    known.readBegan((length[0] ?? pending[0]) ? null : beforeRead(length[1], pending[1], consumer));
    if (read[0] !== null) throw read[0];
    return read[1];
  });
  return toRawEntries(key, reply);
}

type Reply<T> = [error: Error | null, reply: T];
type PendingSummary = [count: number, first: unknown, last: unknown, consumers: [name: string, count: string][] | null];

function beforeRead(length: number, [pending, , , consumers]: PendingSummary, consumer: string): BeforeRead {
  const own = Number(consumers?.find(([name]) => name === consumer)?.[1] ?? 0);
  return { length, own, others: pending - own };
}

/**
 * Reads entries that this consumer was given before and never acknowledged, because it crashed.
 *
 * @param after id of the last one read before; `0` for the first call
 * @returns the entries, and the id after which to continue; null when there are no more
 */
export async function readOwnPending(
  redis: Redis,
  reading: ShardReading,
  count: number,
  after: string,
): Promise<{ entries: RawEntry[]; last: string | null }> {
  const { key, consumer } = reading;
  const reply = await readGroup(redis, reading, () =>
    redis.xreadgroupBuffer('GROUP', WRITERS_GROUP, consumer, 'COUNT', count, 'STREAMS', key, after),
  );
  return { entries: toRawEntries(key, reply), last: reply.at(-1)?.[0].toString() ?? null };
}

/**
 * Asks Redis whether it would give this consumer entries, without a read: one would count as the consumer's sign of life.
 *
 * @throws what it refuses a read with
 */
export async function tryReading(redis: Redis, key: string, consumer: string): Promise<void> {
  await requireCommands(redis, [
    ['XREADGROUP', 'GROUP', WRITERS_GROUP, consumer, 'COUNT', '1', 'STREAMS', key, '>'],
    ['XAUTOCLAIM', key, WRITERS_GROUP, consumer, '1000', '0-0'],
    ['XPENDING', key, WRITERS_GROUP, '-', '+', '1'],
    ['XGROUP', 'CREATE', key, WRITERS_GROUP, '0', 'MKSTREAM'],
  ]);
}

async function readGroup(
  redis: Redis,
  { key, known, onGroupGone }: ShardReading,
  read: () => Promise<unknown>,
): Promise<StreamReply> {
  try {
    // [[key, [[id, [field, value, …]], …]]], or null when nothing came.
    const reply = (await read()) as [Buffer, StreamReply][] | null;
    return reply?.[0]?.[1] ?? [];
  } catch (error) {
    // Redis 7.0 says UNBLOCKED to a read that waits on a stream while it is deleted.
    if (!/^(?:NOGROUP|UNBLOCKED)/.test(messageOf(error))) throw error;
    onGroupGone(await restoreGroup(redis, key, known));
    return [];
  }
}

/** Leaves out entries that were deleted while they were pending: nothing of those is left to store. */
export function toRawEntries(key: string, reply: StreamReply): RawEntry[] {
  return reply.flatMap(([id, fields]) =>
    fields === null || fields.length === 0 ? [] : [{ key, id: id.toString(), fields }],
  );
}
