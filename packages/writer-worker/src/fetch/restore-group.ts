import type { Redis } from 'ioredis';
import { messageOf } from '@sluice/errors/message-of';
import { createGroup } from '@sluice/stream/consumer-group';
import type { KnownStream, StreamInfo } from './known-stream.ts';

/**
 * What happened to a group that vanished:
 * - `destroyed`: the group alone; its stream is there, and everything in it is delivered again;
 * - `drained`: its stream too, after everything in it was delivered;
 * - `lost`: its stream too, perhaps with entries that were not stored.
 */
export type GroupLoss = 'destroyed' | 'drained' | 'lost';

/** Makes a missing group again, at the start of the stream: unique ids make what is delivered twice harmless. */
export async function restoreGroup(redis: Redis, key: string, known: KnownStream): Promise<GroupLoss> {
  const { isDrained } = known;
  const info = await streamInfo(redis, key);
  await createGroup(redis, key);
  if (info !== null && known.isSame(info)) return 'destroyed';
  known.became(info?.added ?? 0, '0-0');
  return isDrained ? 'drained' : 'lost';
}

async function streamInfo(redis: Redis, key: string): Promise<StreamInfo | null> {
  try {
    const info = (await redis.xinfo('STREAM', key)) as unknown[];
    const field = (name: string): unknown => info[info.indexOf(name) + 1];
    const first = field('first-entry') as [string] | null;
    return { length: Number(field('length')), added: Number(field('entries-added')), firstId: first?.[0] ?? null };
  } catch (error) {
    if (/no such key/i.test(messageOf(error))) return null;
    throw error;
  }
}
