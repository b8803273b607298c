import { context, ROOT_CONTEXT, type Span } from '@opentelemetry/api';
import { suppressTracing } from '@opentelemetry/core';
import type { Redis } from 'ioredis';
import { messageOf } from '@sluice/errors/message-of';
import type { DurabilityPlan } from './durability.ts';
import { requireStream } from './required-commands.ts';
import { setShard } from './send-span.ts';
import type { EntryFields } from './stream-entry.ts';
import { streamKey } from './stream-keys.ts';

/** Adds entries to the stream: ingest's batches and replayed dead letters. No other code does. */
export interface StreamProducer {
  /**
   * Adds the entries of one batch and resolves when all of them are as durable as the plan says.
   *
   * @param spans the batch's `send events` spans, see `sendSpan`; they get the shard as an attribute
   * @returns the ids Redis gave them, in order
   * @throws when Redis refuses an entry, does not answer in time or is away; earlier entries may be in the stream
   */
  add(entries: readonly EntryFields[], spans?: readonly Span[]): Promise<string[]>;
}

/**
 * Several batches share one write to Redis. Spans of its commands would all land in the trace of the first batch, so
 * they are suppressed, and each batch has one span of its own.
 */
const UNTRACED = suppressTracing(ROOT_CONTEXT);

/** WAITAOF returned fewer fsyncs than required: the entry is in the stream, but not as durable as promised. */
export class NotDurableError extends Error {
  constructor(wanted: string, reached: string) {
    super(`Redis acknowledged the write with durability ${reached} where ${wanted} was asked for`);
    this.name = 'NotDurableError';
  }
}

/**
 * @param options.redis auto-pipelining, for writes that need no WAITAOF
 * @param options.waiting a connection of its own for WAITAOF, which blocks all other commands on it; its command
 *   timeout must be longer than `waitTimeoutMs`, or the reply of WAITAOF comes too late
 * @param options.plan read again for each batch, because a reconnect may reach a server with other settings
 * @param options.waitTimeoutMs how long WAITAOF may take
 */
export function createStreamProducer(options: {
  redis: Redis;
  waiting: Redis;
  namespace: string;
  shards: number;
  plan: () => DurabilityPlan;
  waitTimeoutMs: number;
}): StreamProducer {
  const { redis, namespace, shards, plan, waitTimeoutMs } = options;
  const addInGroup = groupCommit(options.waiting, waitTimeoutMs);
  let next = 0;
  return {
    async add(entries, spans = []) {
      const shard = next++ % shards;
      const key = streamKey(namespace, shard);
      for (const span of spans) setShard(span, shard);
      const { waitAof } = plan();
      return context.with(UNTRACED, () =>
        waitAof === null
          ? // Auto-pipelining sends what one turn of the event loop adds in one write.
            Promise.all(entries.map((fields) => addOne(redis, key, fields)))
          : addInGroup({ key, entries, ...waitAof }),
      );
    },
  };
}

interface Batch {
  readonly key: string;
  readonly entries: readonly EntryFields[];
  /** Fsyncs that were promised when the batch arrived; a reconnect may change the plan for later batches. */
  readonly local: number;
  readonly replicas: number;
}

/**
 * Group commit. WAITAOF waits for the writes of its own connection and blocks it, up to a second with
 * `appendfsync everysec`. So one WAITAOF runs at a time, and all batches that arrive meanwhile share the next one: with
 * 20 callers 24 batches a second instead of one, with 200 callers 206 (Redis 8.0, `everysec`).
 */
function groupCommit(redis: Redis, waitTimeoutMs: number): (batch: Batch) => Promise<string[]> {
  let waiting: { batch: Batch; since: number; resolvers: PromiseWithResolvers<string[]> }[] = [];
  let running = false;

  async function commit(group: typeof waiting): Promise<void> {
    const local = Math.max(...group.map(({ batch }) => batch.local));
    const replicas = Math.max(...group.map(({ batch }) => batch.replicas));
    const pipeline = redis.pipeline();
    for (const { batch } of group) for (const fields of batch.entries) pipeline.xadd(batch.key, '*', ...fields);
    pipeline.call('WAITAOF', local, replicas, waitTimeoutMs);
    const replies = (await pipeline.exec()) ?? [];
    const [waitError, reached] = replies.pop() ?? [new Error('Redis gave no answer'), null];
    const [fsyncs = 0, replicaFsyncs = 0] = (reached ?? []) as number[];
    let at = 0;
    for (const { batch, resolvers } of group) {
      const own = replies.slice(at, (at += batch.entries.length));
      const error = own.find(([refused]) => refused !== null)?.[0] ?? waitError;
      if (error) resolvers.reject(error);
      else if (fsyncs < batch.local || replicaFsyncs < batch.replicas)
        resolvers.reject(new NotDurableError(`${batch.local}/${batch.replicas}`, `${fsyncs}/${replicaFsyncs}`));
      else resolvers.resolve(own.map(([, id]) => id as string));
    }
  }

  async function run(): Promise<void> {
    running = true;
    // Waits for the other batches of this turn of the event loop.
    await new Promise(setImmediate);
    while (waiting.length > 0) {
      const group = waiting;
      waiting = [];
      // Their clients already got a 503.
      const late = group.filter(({ since }) => performance.now() - since > waitTimeoutMs);
      for (const { resolvers } of late) resolvers.reject(new Error(`waited ${waitTimeoutMs} ms for earlier batches`));
      const rest = group.filter((item) => !late.includes(item));
      if (rest.length > 0)
        await commit(rest).catch((error: unknown) => rest.forEach(({ resolvers }) => resolvers.reject(error)));
    }
    running = false;
  }

  return (batch) => {
    const resolvers = Promise.withResolvers<string[]>();
    waiting.push({ batch, since: performance.now(), resolvers });
    if (!running) void run();
    return resolvers.promise;
  };
}

/**
 * Asks Redis whether it would take entries, without adding one: it refuses id 0-0, but only after it has looked at
 * permissions, role, memory and disk.
 *
 * @throws what it refuses an entry with; `WRONGTYPE` when a shard's key is not a stream
 */
export async function tryAdding(redis: Redis, namespace: string, shards: number): Promise<void> {
  const keys = Array.from({ length: shards }, (_, shard) => streamKey(namespace, shard));
  await context.with(UNTRACED, () =>
    Promise.all(
      keys.map(async (key) => {
        await requireStream(redis, key);
        await redis.xadd(key, '0-0', 'v', '0').catch((error: unknown) => {
          if (!/must be greater than 0-0/.test(messageOf(error))) throw error;
        });
      }),
    ),
  );
}

async function addOne(redis: Redis, key: string, fields: EntryFields): Promise<string> {
  const id = await redis.xadd(key, '*', ...fields);
  if (id === null) throw new Error('XADD gave no id');
  return id;
}
