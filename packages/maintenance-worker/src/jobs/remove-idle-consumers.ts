import type { Redis } from 'ioredis';
import { findShards } from '@sluice/stream/consumer-group';
import { WRITERS_GROUP } from '@sluice/stream/stream-keys';
import { HOUR_MS, type Job, type JobContext, type JobResult, type JobRun, MINUTE_MS } from './job.ts';

/** Removes consumers of writers that are gone, on all shards. */
export const removeIdleConsumersJob = {
  name: 'remove-idle-consumers',
  description: 'Removes consumers of writers that are gone and have nothing pending',
  schedule: { everyMs: HOUR_MS },
  timeoutMs: MINUTE_MS,
  concurrency: 1,
  run: removeFromAllShards,
} satisfies Job;

/** A consumer that has not read for this long belongs to a writer that is gone, in milliseconds. */
const IDLE_MS = 60 * 60_000;

/**
 * Removes a consumer if nothing is pending for it; with it, its pending entries would be lost to the group. Checks and
 * removes in one step, so that no entry can be delivered to it in between. 1 when removed.
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

/** A live writer that is removed because it had nothing to read is back with its next read. */
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

/** Names of a shard's consumers; none while there is no stream or no group yet. */
async function consumersOf(redis: Redis, key: string): Promise<string[]> {
  const groups = (await redis.exists(key)) === 0 ? [] : ((await redis.xinfo('GROUPS', key)) as unknown[][]);
  if (!groups.some((group) => group[1] === WRITERS_GROUP)) return [];
  const consumers = (await redis.xinfo('CONSUMERS', key, WRITERS_GROUP)) as unknown[][];
  return consumers.map((consumer) => String(consumer[1]));
}
