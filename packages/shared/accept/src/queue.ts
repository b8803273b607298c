import type { Span } from '@opentelemetry/api';
import type { Redis } from 'ioredis';
import type { Logger } from '@sluice/daemon/log/logger';
import { poll } from '@sluice/daemon/retry/poll';
import { TimeoutError, withTimeout } from '@sluice/daemon/retry/with-timeout';
import { ApiError } from '@sluice/errors/api-errors';
import { messageOf } from '@sluice/errors/message-of';
import {
  type Durability,
  type DurabilityPlan,
  planDurability,
  readRedisSettings,
  type RedisSettings,
} from '@sluice/stream/durability';
import { refusalOf } from '@sluice/stream/redis-refusal';
import type { EntryFields } from '@sluice/stream/stream-entry';
import { createStreamProducer, NotDurableError, tryAdding } from '@sluice/stream/stream-producer';

/** Ingest's side of the stream: adds batches and knows how durable they are. */
export interface Queue {
  /**
   * Puts a batch's entries on the stream.
   *
   * @param requestId of the request that brought them, for the log
   * @param span stands for it in traces
   * @returns the durability that all of them have reached
   * @throws ApiError `queue_unavailable` when Redis did not take all of them in time
   */
  add(entries: readonly EntryFields[], requestId: string, span: Span): Promise<Durability>;
  /** What is known of the server; null while Redis has not been reached yet. */
  readonly settings: RedisSettings | null;
  readonly plan: DurabilityPlan;
  /** Resolves when the settings of the connected server have been read, or could not be. */
  settled(): Promise<void>;
  /** Ends asking for the settings; batches are still added. */
  stop(): Promise<void>;
}

/** A queue whose check can ask whether it works. */
export interface CheckableQueue extends Queue {
  /** Asks Redis whether it would take a batch, without adding one. @throws what it refuses a batch with */
  tryAdding(): Promise<void>;
  /**
   * Error of the newest batch when it was late or not durable in time, for a few seconds or until a later one is added;
   * null when there is none.
   */
  readonly lastFailure: unknown;
}

/** Nothing is claimed before the server has said what it does. */
const UNKNOWN: DurabilityPlan = {
  level: 'memory',
  waitAof: null,
  warning: 'The settings of Redis are not known yet; 202s say "memory".',
};

/** How soon the settings are asked for again when Redis did not tell them, in milliseconds. */
const ASK_AGAIN_MS = 1_000;

/** How often they are compared with what they were, in milliseconds. */
const REFRESH_MS = 30_000;

/**
 * Shortest limit for WAITAOF, in milliseconds: with `appendfsync everysec` a fsync is up to a second away, and
 * replicas report theirs once a second.
 */
const MIN_WAIT_MS = 3_000;
/** What the client's own limit is above that of WAITAOF, so that its answer is seen. */
const WAIT_MARGIN_MS = 500;

/** How long WAITAOF may take where other commands have `timeoutMs`. */
function waitLimit(timeoutMs: number): number {
  return Math.max(timeoutMs, MIN_WAIT_MS);
}

/** Command timeout of the connection for WAITAOF. */
export function waitingCommandTimeout(timeoutMs: number): number {
  return waitLimit(timeoutMs) + WAIT_MARGIN_MS;
}

/**
 * How long a batch that was late, or not durable in time, makes the check fail, in milliseconds. Not for longer: a load
 * balancer sends an instance that is not ready no batch that could succeed.
 */
const FAILURE_COUNTS_MS = 5_000;

/** Seconds after which a client tries again when Redis is away. */
const RETRY_AFTER_SECONDS = 2;

/**
 * Reads Redis's settings now and at each reconnect (another server may answer then), and adds batches as
 * durably as these allow.
 */
export function createQueue(options: {
  redis: Redis;
  /** A connection for WAITAOF; see `createStreamProducer`. */
  waiting: Redis;
  logger: Logger;
  namespace: string;
  shards: number;
  durability: Durability;
  replicas: number;
  timeoutMs: number;
  /** Told how many bytes were added to the stream. */
  onAdded: (bytes: number) => void;
}): CheckableQueue {
  const { redis, logger } = options;
  let settings: RedisSettings | null = null;
  let plan = UNKNOWN;
  const waitTimeoutMs = waitLimit(options.timeoutMs);
  const producer = createStreamProducer({ ...options, plan: () => plan, waitTimeoutMs });

  async function learn(): Promise<void> {
    settings = await readRedisSettings(redis);
    plan = planDurability(options.durability, settings, options.replicas);
    logger.info({ durability: plan.level, redis: settings }, 'durability determined');
    if (plan.warning !== null)
      logger.warn({ warning: plan.warning, redis: settings }, 'Redis settings do not suit DURABILITY');
    if (settings.readable && settings.maxmemoryPolicy !== 'noeviction') {
      logger.error(
        { policy: settings.maxmemoryPolicy },
        'Redis may evict unstored events: set maxmemory-policy noeviction',
      );
    }
  }
  /** An operator may change the settings of a running server. */
  const refresh = poll({
    everyMs: REFRESH_MS,
    when: () => redis.status === 'ready',
    async turn() {
      const found = await readRedisSettings(redis);
      if (JSON.stringify(found) !== JSON.stringify(settings)) learned = relearn();
    },
    onFailing: (error) => logger.debug({ error }, 'Redis settings not read'),
  });
  let again: NodeJS.Timeout | undefined;
  const relearn = async (): Promise<void> => {
    clearTimeout(again);
    plan = UNKNOWN;
    try {
      await learn();
    } catch (error) {
      logger.warn({ error: messageOf(error) }, 'Redis settings not read; claiming nothing');
      // After a lost connection the next `ready` asks.
      if (redis.status === 'ready') again = setTimeout(() => void relearn(), ASK_AGAIN_MS).unref();
    }
  };
  /** Whether it took the last batch. */
  let taken = true;
  let lastFailure: { readonly error: unknown; readonly at: number } | null = null;
  let learned = redis.status === 'ready' ? relearn() : Promise.resolve();
  const onReady = (): void => {
    learned = relearn();
  };
  redis.on('ready', onReady);

  return {
    async add(entries, requestId, span) {
      const before = plan;
      try {
        const limit = before.waitAof === null ? options.timeoutMs : waitTimeoutMs + WAIT_MARGIN_MS;
        // The connection has a limit for each command, but auto-pipelining keeps the commands of later batches back
        // while an earlier pipeline is on its way.
        await withTimeout(producer.add(entries, [span]), limit);
      } catch (error) {
        const about = { request_id: requestId, error: messageOf(error) };
        // One warning for each outage, not one for each request.
        if (taken) logger.warn(about, 'batch not enqueued; answered 503');
        else logger.debug(about, 'batch not enqueued; answered 503');
        taken = false;
        // What Redis refuses now, asking without a batch finds out, and for how long.
        if (refusalOf(error) === null) lastFailure = { error, at: performance.now() };
        throw new ApiError('queue_unavailable', `${whyNotAdded(error)} Send the batch again with the same ids.`, {
          retryAfter: RETRY_AFTER_SECONDS,
          cause: error,
        });
      }
      if (!taken) logger.info('batches are enqueued again');
      taken = true;
      lastFailure = null;
      options.onAdded(entries.reduce((sum, fields) => sum + bytesOf(fields), 0));
      // A reconnect in between may have led to a server that promises less, or the same in another way.
      return before === plan ? before.level : 'memory';
    },
    tryAdding: () => tryAdding(redis, options.namespace, options.shards),
    get lastFailure() {
      const isNew = lastFailure !== null && performance.now() - lastFailure.at < FAILURE_COUNTS_MS;
      return isNew ? lastFailure?.error : null;
    },
    settled: () => learned,
    async stop() {
      redis.off('ready', onReady);
      clearTimeout(again);
      await refresh.stop();
    },
    get settings() {
      return settings;
    },
    get plan() {
      return plan;
    },
  };
}

/** Says to a client what became of its batch: Redis that refuses was reached, and one that is late may have the batch. */
function whyNotAdded(error: unknown): string {
  const refusal = refusalOf(error);
  if (refusal !== null) return `The queue refuses new events (${refusal.code}).`;
  if (error instanceof NotDurableError) return 'The queue has the batch, but not as durably as promised.';
  if (error instanceof TimeoutError || /timed out/.test(messageOf(error)))
    return 'The queue did not answer in time; it may have the batch.';
  return 'The queue cannot be reached.';
}

/** About what an entry takes in Redis. */
function bytesOf(fields: EntryFields): number {
  return fields.reduce((sum, field) => sum + field.length, 0);
}
