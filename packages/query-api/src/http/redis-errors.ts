import { ApiError } from '@sluice/errors/api-errors';
import { refusalOf } from '@sluice/stream/redis-refusal';

/** Seconds after which trying again makes sense. */
const RETRY_AFTER_SECONDS = 2;

/**
 * For `catch`: answers that Redis is away, or what it refuses and what to do. Errors of connections name addresses, so
 * clients do not see them.
 *
 * @throws ApiError `redis_unavailable`
 */
export function redisUnavailable(error: unknown): never {
  throw new ApiError('redis_unavailable', refusalOf(error)?.message ?? 'Redis cannot be reached.', {
    retryAfter: RETRY_AFTER_SECONDS,
    cause: error,
  });
}
