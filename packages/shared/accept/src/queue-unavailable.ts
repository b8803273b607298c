import { TimeoutError } from '@sluice/daemon/retry/with-timeout';
import { ApiError } from '@sluice/errors/api-errors';
import { messageOf } from '@sluice/errors/message-of';
import { refusalOf } from '@sluice/stream/redis-refusal';
import { NotDurableError } from '@sluice/stream/stream-producer';

/** Retry-After while Redis is away, in seconds. */
const RETRY_AFTER_SECONDS = 2;

/** The answer when Redis did not accept a batch in time, or refused it. */
export function queueUnavailable(cause: unknown): ApiError {
  return new ApiError('queue_unavailable', `${whyNotAdded(cause)} Send the batch again with the same ids.`, {
    retryAfter: RETRY_AFTER_SECONDS,
    cause,
  });
}

/** What became of the batch: a Redis that refuses was reached, and one that is late may have the batch. */
function whyNotAdded(error: unknown): string {
  const refusal = refusalOf(error);
  if (refusal !== null) return `The queue refuses new events (${refusal.code}).`;
  if (error instanceof NotDurableError) return 'The queue has the batch, but not as durably as promised.';
  if (error instanceof TimeoutError || /timed out/.test(messageOf(error)))
    return 'The queue did not answer in time; it may have the batch.';
  return 'The queue cannot be reached.';
}
