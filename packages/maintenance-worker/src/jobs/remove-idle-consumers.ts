import type { Redis } from 'ioredis';
import { findShards } from '@sluice/stream/consumer-group';
import { WRITERS_GROUP } from '@sluice/stream/stream-keys';
import { HOUR_MS, type Job, type JobContext, type JobResult, type JobRun, MINUTE_MS } from './job.ts';

/** Removes the consumers of gone writers from all shards. */
export const removeIdleConsumersJob = {
  name: 'remove-idle-consumers',
  description: 'Removes consumers of gone writers that have nothing pending',
  schedule: { everyMs: HOUR_MS },
  timeoutMs: MINUTE_MS,
  concurrency: 1,
  run: removeFromAllShards,
} satisfies Job;

/** A consumer that has not read for this long, in milliseconds, belongs to a gone writer. */
const IDLE_MS = 60 * 60_000;

/**
 * Removes a consumer if it has nothing pending: with a consumer the group loses its pending entries. Checks and removes
 * in one step, so that no entry can be delivered to it in between. Returns 1 when removed.
 */
const REMOVE_IF_IDLE = `
  for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
    local facts = {}
    for at = 1, #consumer, 2 do facts[consumer[at]] = consumer[at + 1] end
    if facts.name == ARGV[2] and facts.pending == 0 and facts.idle >= tonumber(ARGV[3]) then
      redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
      return 1
    end
  end
  return 0`;

async function removeFromAllShards({ redis, config }: JobContext, run: JobRun): Promise<JobResult> {
  return removeIdleConsumers(redis, {
    keys: await findShards(redis, config.SLUICE_NAMESPACE, config.STREAM_SHARDS),
    idleMs: IDLE_MS,
    run,
  });
}

/** Removes idle consumers. A live writer that was idle for so long is a consumer again with its next read. */
export async function removeIdleConsumers(
  redis: Redis,
  { keys, idleMs, run }: { keys: readonly string[]; idleMs: number; run: Pick<JobRun, 'signal' | 'progress'> },
): Promise<JobResult> {
  const removed: string[] = [];
  for (const key of keys) {
    for (const name of await consumersOf(redis, key)) {
      if (run.signal.aborted) break;
      const gone = await redis.eval(REMOVE_IF_IDLE, 1, key, WRITERS_GROUP, name, idleMs);
      if (gone === 1) removed.push(name);
      run.progress(removed.length);
    }
  }
  return { rows: removed.length, details: removed.length === 0 ? {} : { removed } };
}

/** Lists a shard's consumers; none while the stream or its group does not exist yet. */
async function consumersOf(redis: Redis, key: string): Promise<string[]> {
  const groups = (await redis.exists(key)) === 0 ? [] : ((await redis.xinfo('GROUPS', key)) as unknown[][]);
  if (!groups.some((group) => group[1] === WRITERS_GROUP)) return [];
  const consumers = (await redis.xinfo('CONSUMERS', key, WRITERS_GROUP)) as unknown[][];
  return consumers.map((consumer) => String(consumer[1]));
}
