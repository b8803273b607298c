import { ApiError } from '@sluice/errors/api-errors';
import type { Door, ReadBatch, ReadLimits } from '@sluice/events/adapters/door';
import type { DoorRequest } from '@sluice/events/adapters/door-request';

/**
 * Reads a request through its door. Enforces the limit of events, which no door may change.
 *
 * @throws ApiError for what is wrong with the whole request, except inside an event
 */
export function readRequest(door: Pick<Door, 'read'>, request: DoorRequest, limits: ReadLimits): ReadBatch {
  const batch = door.read(request, limits);
  if (batch.eventCount === 0) throw new ApiError('invalid_body', 'The batch has no events.');
  if (batch.eventCount > limits.maxEvents) {
    throw new ApiError(
      'too_many_events',
      `The batch has ${batch.eventCount} events; the limit is ${limits.maxEvents}.`,
    );
  }
  return batch;
}
