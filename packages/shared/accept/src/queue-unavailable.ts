import { ApiError } from '@sluice/errors/api-errors';

/** Retry-After while Redis is away, in seconds. */
const RETRY_AFTER_SECONDS = 2;

/** The answer when Redis did not accept a batch in time: nobody knows whether it has the batch. */
export function queueUnavailable(cause: unknown): ApiError {
  return new ApiError('queue_unavailable', 'The queue cannot be reached. Send the batch again with the same ids.', {
    retryAfter: RETRY_AFTER_SECONDS,
    cause,
  });
}
