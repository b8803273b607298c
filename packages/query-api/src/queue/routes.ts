import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { ApiError } from '@sluice/errors/api-errors';
import { errorResponses } from '@sluice/errors/error-schema';
import { readStates } from '@sluice/stream/daemon-states';
import { redisUnavailable } from '../http/redis-errors.ts';
import type { QueryContext } from '../query-context.ts';
import { queueSchema } from './answers.ts';
import { consumersOf } from './consumers.ts';
import { type ConservationStatus, readQueue, type ShardStatus } from './read-queue.ts';

/** `GET /api/queue`: what waits on the streams, and which writers work on it. */
export function addQueueRoute(server: FastifyInstance, { redis, config, backlogMeter }: QueryContext): void {
  server.get('/api/queue', {
    config: { scope: 'read' },
    schema: {
      tags: ['queue'],
      summary: 'Show the queue: what waits, since when, and which writers work on it',
      description: 'Needs a key of all tenants: the numbers are those of the whole installation.',
      querystring: Type.Object({}, { additionalProperties: false }),
      response: {
        200: queueSchema,
        ...errorResponses('query', 400, 401, 403, 503),
      },
    },
    handler: async ({ operator }) => {
      if (operator.tenant !== null) {
        throw new ApiError('forbidden', 'The queue is one of all tenants; its numbers are for keys of all tenants.');
      }
      const namespace = config.SLUICE_NAMESPACE;
      const [shards, states] = await Promise.all([
        readQueue(redis, namespace, config.STREAM_SHARDS),
        readStates(redis, namespace),
      ]).catch(redisUnavailable);
      const total = (name: 'length' | 'bytes' | 'pending'): number =>
        shards.reduce((sum, shard: ShardStatus) => sum + shard[name], 0);
      const length = total('length');
      const rate = backlogMeter.backlog?.drainRate ?? 0;
      return {
        shards,
        consumers: consumersOf(shards, states),
        totals: { length, bytes: total('bytes'), pending: total('pending') },
        conservation: sumOf(shards.map((shard) => shard.conservation)),
        drain_rate_per_second: Math.round(rate * 10) / 10,
        seconds_to_empty: length === 0 ? 0 : rate > 0 ? Math.ceil((length / rate) * 10) / 10 : null,
      };
    },
  });
}

/** Adds the counts of all shards. */
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
