import type { Redis } from 'ioredis';
import { requireCommands } from '@sluice/stream/required-commands';
import { bullmqPrefix } from './bullmq-connection.ts';

/**
 * Asks Redis whether it would take wake-ups and schedules, without adding one: scripts that write are what BullMQ does.
 *
 * @throws what it refuses them with
 */
export async function tryWaking(redis: Redis, namespace: string): Promise<void> {
  const key = `${bullmqPrefix(namespace)}:probe`;
  await requireCommands(redis, [
    ['EVALSHA', '0', '1', key],
    ['HSET', key, 'field', 'value'],
    ['LPUSH', key, 'value'],
    ['ZADD', key, '0', 'value'],
    ['BZPOPMIN', key, '0'],
    ['DEL', key],
  ]);
}
