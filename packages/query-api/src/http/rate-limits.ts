import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { KeyRing } from '@sluice/access/key-ring';
import { addressOf } from '@sluice/access/wrong-keys';
import { ApiError } from '@sluice/errors/api-errors';

const WINDOW_MS = 60_000;

/**
 * Limits the requests of each key, on all routes that are added to this instance afterwards. Every answer says in
 * `RateLimit-*` what is left. Each process counts alone, so reads neither need Redis nor wait for it.
 *
 * @param perMinute for keys without their own limit; 0 for none, and then wrong keys are not counted either
 */
export async function addRateLimits(server: FastifyInstance, keys: KeyRing, perMinute: number): Promise<void> {
  const limitOf = ({ operator }: FastifyRequest): number => operator.requestsPerMinute ?? perMinute;
  await server.register(rateLimit, {
    enableDraftSpec: true,
    timeWindow: WINDOW_MS,
    max: limitOf,
    allowList: (request) => limitOf(request) === 0,
    // An open instance has only one principal, so it counts by address.
    keyGenerator: (request) => (keys.open ? addressOf(request) : request.operator.id),
    errorResponseBuilder: (_request, { max, ttl }) => {
      const retryAfter = Math.max(1, Math.ceil(ttl / 1_000));
      return new ApiError('rate_limited', `More than ${max} requests in a minute. Try again in ${retryAfter} s.`, {
        retryAfter,
      });
    },
  });
}
