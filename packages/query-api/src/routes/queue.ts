import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { ApiError } from '@sluice/shared/errors/api-errors';
import { errorResponses } from '@sluice/shared/errors/error-schema';
import type { QueryContext } from '../query-context.ts';
import { readQueue, type ShardStatus } from '../read-queue.ts';

/** Seconds after which trying again makes sense. */
const RETRY_AFTER_SECONDS = 2;

const integerOrNull = Type.Union([Type.Integer(), Type.Null()]);
const numberOrNull = Type.Union([Type.Number(), Type.Null()]);

/** `GET /api/queue`: how far behind the writers are. */
export function addQueueRoute(server: FastifyInstance, { redis, config, drainMeter }: QueryContext): void {
  server.get('/api/queue', {
    config: { scope: 'read' },
    schema: {
      tags: ['queue'],
      summary: 'The queue: how much waits, since when, and who works on it',
      querystring: Type.Object({}, { additionalProperties: false }),
      response: {
        200: Type.Object({
          shards: Type.Array(
            Type.Object({
              shard: Type.Integer(),
              length: Type.Integer(),
              bytes: Type.Integer(),
              pending: Type.Integer({ description: 'Taken by a writer, not acknowledged yet.' }),
              lag: integerOrNull,
              oldest_age_seconds: numberOrNull,
              consumers: Type.Array(
                Type.Object({
                  name: Type.String(),
                  pending: Type.Integer(),
                  idle_ms: Type.Integer(),
                  inactive_ms: integerOrNull,
                  last_progress_at: Type.Union([Type.String({ format: 'date-time' }), Type.Null()]),
                }),
              ),
            }),
          ),
          totals: Type.Object({ length: Type.Integer(), bytes: Type.Integer(), pending: Type.Integer() }),
          drain_rate_per_second: Type.Number({ description: 'Entries that left the streams, over the last 10 s.' }),
          seconds_to_empty: numberOrNull,
        }),
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
      const rate = drainMeter.ratePerSecond ?? 0;
      return {
        shards,
        totals: { length, bytes: total('bytes'), pending: total('pending') },
        drain_rate_per_second: Math.round(rate * 10) / 10,
        seconds_to_empty: length === 0 ? 0 : rate > 0 ? Math.ceil((length / rate) * 10) / 10 : null,
      };
    },
  });
}
