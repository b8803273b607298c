import { ApiError } from '@sluice/errors/api-errors';

/** @throws ApiError `too_many_events` for a batch of more events than MAX_BATCH_SIZE */
export function refuseTooManyEvents(count: number, limit: number): void {
  if (count <= limit) return;
  throw new ApiError('too_many_events', `The batch has ${count} events; the limit is ${limit}.`);
}
