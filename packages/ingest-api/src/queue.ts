import { messageOf } from '@sluice/shared/errors/message-of';
import type { Redis } from 'ioredis';
import { ApiError } from '@sluice/shared/errors/api-errors';
import type { Logger } from '@sluice/shared/runtime/logger';
import {
  type Durability,
  type DurabilityPlan,
  planDurability,
  readRedisSettings,
  type RedisSettings,
} from '@sluice/shared/stream/durability';
import type { EntryFields } from '@sluice/shared/stream/stream-entry';
import { createStreamProducer } from '@sluice/shared/stream/stream-producer';

/** Ingest's side of the stream: adds batches and knows how durable they are. */
export interface Queue {
  /**
   * Puts a batch's entries on the stream.
   *
   * @returns the durability that all of them have reached
   * @throws ApiError `queue_unavailable` when Redis did not take all of them in time
   */
  add(entries: readonly EntryFields[]): Promise<Durability>;
  /** What is known of the server; null while Redis has not been reached yet. */
  readonly settings: RedisSettings | null;
  readonly plan: DurabilityPlan;
}

/** Nothing is claimed before the server has said what it does. */
const UNKNOWN: DurabilityPlan = { level: 'memory', waitAof: null, warning: null };

/** Seconds after which a client tries again when Redis is away. */
const RETRY_AFTER_SECONDS = 2;

/**
 * Reads Redis's settings now and at each reconnect (another server may answer then), and adds batches as
 * durably as these allow.
 */
export function createQueue(options: {
  redis: Redis;
  logger: Logger;
  namespace: string;
  shards: number;
  durability: Durability;
  replicas: number;
  timeoutMs: number;
}): Queue {
  const { redis, logger } = options;
  let settings: RedisSettings | null = null;
  let plan = UNKNOWN;
  const producer = createStreamProducer({ ...options, plan: () => plan, waitTimeoutMs: options.timeoutMs });

  async function learn(): Promise<void> {
    settings = await readRedisSettings(redis);
    plan = planDurability(options.durability, settings, options.replicas);
    logger.info({ durability: plan.level, redis: settings }, `202s mean: ${plan.level}`);
    if (plan.warning !== null) logger.warn({ redis: settings }, plan.warning);
    if (settings.readable && settings.maxmemoryPolicy !== 'noeviction') {
      logger.error(
        { policy: settings.maxmemoryPolicy },
        'Redis may evict unstored events: set maxmemory-policy noeviction',
      );
    }
  }
  const relearn = (): void => {
    plan = UNKNOWN;
    learn().catch((error: Error) =>
      logger.warn({ error: error.message }, 'the settings of Redis cannot be read; claiming nothing'),
    );
  };
  redis.on('ready', relearn);
  if (redis.status === 'ready') relearn();

  return {
    async add(entries) {
      const { level } = plan;
      try {
        await producer.add(entries);
      } catch (error) {
        logger.warn({ error: messageOf(error) }, 'Redis did not take a batch');
        throw new ApiError(
          'queue_unavailable',
          'The queue cannot be reached. Send the batch again with the same ids.',
          {
            retryAfter: RETRY_AFTER_SECONDS,
            cause: error,
          },
        );
      }
      // A reconnect in between may have led to a server that promises less.
      return level === plan.level ? level : 'memory';
    },
    get settings() {
      return settings;
    },
    get plan() {
      return plan;
    },
  };
}
