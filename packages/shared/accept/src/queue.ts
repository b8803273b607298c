import type { Span } from '@opentelemetry/api';
import type { Redis } from 'ioredis';
import type { Logger } from '@sluice/daemon/log/logger';
import { poll } from '@sluice/daemon/retry/poll';
import { withTimeout } from '@sluice/daemon/retry/with-timeout';
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
import { createStreamProducer, tryAdding } from '@sluice/stream/stream-producer';
import { queueUnavailable } from './queue-unavailable.ts';

/** Ingest's side of the stream: adds batches and knows how durable they are. */
export interface Queue {
  /**
   * Puts a batch's entries on the stream.
   *
   * @param requestId of the request that sent them, for the log
   * @param span represents the request in traces
   * @returns the durability that all entries have reached
   * @throws ApiError `queue_unavailable` when Redis did not accept all of them in time
   */
  add(entries: readonly EntryFields[], requestId: string, span: Span): Promise<Durability>;
  /** Settings of the Redis server; null until Redis has been reached. */
  readonly settings: RedisSettings | null;
  readonly plan: DurabilityPlan;
  /** Resolves after the attempt to read the settings of the connected server, whether or not it succeeded. */
  settled(): Promise<void>;
  /** Stops reading the settings. `add` still works. */
  stop(): Promise<void>;
}

/** A queue whose check can ask whether it works. */
export interface CheckableQueue extends Queue {
  /** Asks Redis whether it would accept a batch, without adding one. @throws what it refuses a batch with */
  tryAdding(): Promise<void>;
  /**
   * Error of the newest batch when it was late or not durable in time, for a few seconds or until a later one is added;
   * null when there is none.
   */
  readonly lastFailure: unknown;
}

/** The weakest claim, used until the settings of the server are known. */
const UNKNOWN: DurabilityPlan = {
  level: 'memory',
  waitAof: null,
  warning: 'The settings of Redis are not known yet; 202s say "memory".',
};

/** Pause before reading the settings again after a failure, in milliseconds. */
const ASK_AGAIN_MS = 1_000;

/** How often the settings are checked for changes, in milliseconds. */
const REFRESH_MS = 30_000;

/**
 * Shortest limit for WAITAOF, in milliseconds. With `appendfsync everysec` the next fsync may be a second away, and
 * replicas report theirs once a second.
 */
const MIN_WAIT_MS = 3_000;
/** How much later than WAITAOF itself the client times out, so that it sees the answer. */
const WAIT_MARGIN_MS = 500;

/** Limit for WAITAOF, in milliseconds, where other commands have `timeoutMs`. */
function waitLimit(timeoutMs: number): number {
  return Math.max(timeoutMs, MIN_WAIT_MS);
}

/** Command timeout of the connection for WAITAOF, in milliseconds. */
export function waitingCommandTimeout(timeoutMs: number): number {
  return waitLimit(timeoutMs) + WAIT_MARGIN_MS;
}

/**
 * How long a batch that was late, or not durable in time, makes the check fail, in milliseconds. Not for longer: a load
 * balancer sends an instance that is not ready no batch that could succeed.
 */
const FAILURE_COUNTS_MS = 5_000;

/**
 * Adds batches to the stream as durably as Redis's settings allow. Reads these settings now, and at each reconnect:
 * another server may answer then.
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
  /** Called with the number of bytes that were added to the stream. */
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
      // After a lost connection, the next `ready` reads them.
      if (redis.status === 'ready') again = setTimeout(() => void relearn(), ASK_AGAIN_MS).unref();
    }
  };
  /** Whether Redis accepted the last batch. */
  let accepting = true;
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
        // The connection has a limit for each command. But auto-pipelining holds back the commands of later batches
        // while an earlier pipeline is in flight.
        await withTimeout(producer.add(entries, [span]), limit);
      } catch (error) {
        const about = { request_id: requestId, error: messageOf(error) };
        // One warning for each outage, not one for each request.
        if (accepting) logger.warn(about, 'batch not enqueued; answered 503');
        else logger.debug(about, 'batch not enqueued; answered 503');
        accepting = false;
        // The check finds out by itself what Redis refuses, and for how long.
        if (refusalOf(error) === null) lastFailure = { error, at: performance.now() };
        throw queueUnavailable(error);
      }
      if (!accepting) logger.info('batches are enqueued again');
      accepting = true;
      lastFailure = null;
      options.onAdded(entries.reduce((sum, fields) => sum + bytesOf(fields), 0));
      // After a reconnect in between, another server may have answered: it may promise less.
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

/** Estimates the memory of an entry in Redis, in bytes. */
function bytesOf(fields: EntryFields): number {
  return fields.reduce((sum, field) => sum + field.length, 0);
}
