import type { Redis } from 'ioredis';
import type { DurabilityPlan } from './durability.ts';
import type { EntryFields } from './stream-entry.ts';
import { streamKey } from './stream-keys.ts';

/** The one place that puts entries on the stream: ingest's batches and replayed dead letters. */
export interface StreamProducer {
  /**
   * Adds the entries of one batch and resolves when all of them are as durable as the plan says.
   *
   * @returns the ids Redis gave them, in order
   * @throws when Redis refused one, did not answer in time or is away; entries before it may be in the stream
   */
  add(entries: readonly EntryFields[]): Promise<string[]>;
}

/** WAITAOF came back with fewer fsyncs than were asked for: the write is there, but not as durable as promised. */
export class NotDurableError extends Error {
  constructor(wanted: string, reached: string) {
    super(`Redis acknowledged the write with durability ${reached} where ${wanted} was asked for`);
    this.name = 'NotDurableError';
  }
}

/**
 * @param plan read anew for each batch, because a reconnect may lead to a server with other settings
 * @param waitTimeoutMs how long WAITAOF may take
 */
export function createStreamProducer(options: {
  redis: Redis;
  namespace: string;
  shards: number;
  plan: () => DurabilityPlan;
  waitTimeoutMs: number;
}): StreamProducer {
  const { redis, namespace, shards, plan, waitTimeoutMs } = options;
  let next = 0;
  return {
    async add(entries) {
      const key = streamKey(namespace, next++ % shards);
      const { waitAof } = plan();
      if (waitAof === null) {
        // Auto-pipelining sends what one turn of the event loop adds in one write.
        return Promise.all(entries.map((fields) => addOne(redis, key, fields)));
      }
      // WAITAOF waits for the writes of its own connection, so both go down the same one, in order.
      const pipeline = redis.pipeline();
      for (const fields of entries) pipeline.xadd(key, '*', ...fields);
      pipeline.call('WAITAOF', waitAof.local, waitAof.replicas, waitTimeoutMs);
      const replies = (await pipeline.exec()) ?? [];
      const values = replies.map(([error, value]) => {
        if (error) throw error;
        return value;
      });
      const [local = 0, replicas = 0] = values.pop() as number[];
      if (local < waitAof.local || replicas < waitAof.replicas) {
        throw new NotDurableError(`${waitAof.local}/${waitAof.replicas}`, `${local}/${replicas}`);
      }
      return values as string[];
    },
  };
}

async function addOne(redis: Redis, key: string, fields: EntryFields): Promise<string> {
  const id = await redis.xadd(key, '*', ...fields);
  if (id === null) throw new Error('XADD gave no id');
  return id;
}
