import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { ApiError } from '@sluice/errors/api-errors';
import { errorResponses } from '@sluice/errors/error-schema';
import type { QueryContext } from '../query-context.ts';
import { queueSchema } from './answers.ts';
import { type ConservationStatus, readQueue, type ShardStatus } from './read-queue.ts';

/** Seconds after which trying again makes sense. */
const RETRY_AFTER_SECONDS = 2;

/** `GET /api/queue`: how far behind the writers are. */
export function addQueueRoute(server: FastifyInstance, { redis, config, backlogMeter }: QueryContext): void {
  server.get('/api/queue', {
    config: { scope: 'read' },
    schema: {
      tags: ['queue'],
      summary: 'The queue: how much waits, since when, and who works on it',
      querystring: Type.Object({}, { additionalProperties: false }),
      response: {
        200: queueSchema,
        ...errorResponses('query', 400, 401, 503),
      },
    },
    handler: async () => {
      const shards = await readQueue(redis, config.SLUICE_NAMESPACE, config.STREAM_SHARDS).catch((error: unknown) => {
        throw new ApiError('redis_unavailable', 'Redis cannot be reached.', {
          retryAfter: RETRY_AFTER_SECONDS,
          cause: error,
        });
      });
      const total = (name: 'length' | 'bytes' | 'pending'): number =>
        shards.reduce((sum, shard: ShardStatus) => sum + shard[name], 0);
      const length = total('length');
      const rate = backlogMeter.backlog?.drainRate ?? 0;
      return {
        shards,
        totals: { length, bytes: total('bytes'), pending: total('pending') },
        conservation: sumOf(shards.map((shard) => shard.conservation)),
        drain_rate_per_second: Math.round(rate * 10) / 10,
        seconds_to_empty: length === 0 ? 0 : rate > 0 ? Math.ceil((length / rate) * 10) / 10 : null,
      };
    },
  });
}

/** Of all shards together. */
function sumOf(parts: readonly ConservationStatus[]): ConservationStatus {
  const total = (valueOf: (part: ConservationStatus) => number): number =>
    parts.reduce((sum, part) => sum + valueOf(part), 0);
  return {
    entries: {
      added: total(({ entries }) => entries.added),
      settled: total(({ entries }) => entries.settled),
      waiting: total(({ entries }) => entries.waiting),
      orphaned: total(({ entries }) => entries.orphaned),
      drift: total(({ entries }) => entries.drift),
    },
    events: {
      settled: total(({ events }) => events.settled),
      stored: total(({ events }) => events.stored),
      duplicate: total(({ events }) => events.duplicate),
      dead: total(({ events }) => events.dead),
      drift: total(({ events }) => events.drift),
    },
  };
}
