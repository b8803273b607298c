import { ApiError } from '@sluice/errors/api-errors';
import { MAX_BODY_VALUES } from '../../canonical-event.ts';
import { countElements } from '../../json/byte-limits.ts';
import { readBody, refuseUnsafe } from '../../json/read-body.ts';
import type { DoorRequest } from '../door-request.ts';
import type { BatchOutcome, Door, ReadBatch, ReadLimits } from '../door.ts';
import { SLUICE_KEYS } from '../key-places.ts';
import { refuseTooManyEvents } from '../refuse-too-many.ts';
import { postEventsSchema } from './doors-schema.ts';
import { governanceTracker } from './governance-tracker.ts';
import { countPlainEvents, EVENTS } from './plain-batch.ts';

/** `POST /api/events`: a batch of events. */
export const governanceTrackerDoors: readonly Door[] = [
  {
    method: 'POST',
    path: '/api/events',
    mediaTypes: ['application/json'],
    bodyLimit: 'batch',
    keys: SLUICE_KEYS,
    sites: false,
    schema: postEventsSchema,
    read: readBatch,
    answer: (outcome) => ({ status: 202, body: answerBody(outcome) }),
    answerNoneValid: (outcome) => ({
      status: 422,
      body: {
        ...answerBody(outcome),
        error: {
          code: 'no_valid_events',
          message: 'No event of the batch is valid; see errors.',
          request_id: outcome.requestId,
        },
      },
    }),
  },
];

function readBatch({ body }: DoorRequest, limits: ReadLimits): ReadBatch {
  // A body in which every event is plainly valid is not parsed.
  const plainEvents = countPlainEvents(body, limits.receivedAt, limits);
  if (plainEvents > 0) return { adapter: governanceTracker, body, eventCount: plainEvents, parsed: null };
  const { bytes, parsed, text } = readBody(body, MAX_BODY_VALUES, (large) =>
    refuseTooManyEvents(countElements(large, EVENTS), limits.maxEvents),
  );
  const events = governanceTracker.eventsOf(parsed);
  if (events === null) throw new ApiError('invalid_body', 'The body must be an object with an array "events".');
  const { events: _, ...rest } = parsed as Record<string, unknown>;
  // They are not stored, but have limits too.
  refuseUnsafe(rest, 0);
  return {
    adapter: governanceTracker,
    body: bytes,
    eventCount: events.length,
    parsed: { events, text },
    namedTenant: rest['tenant'],
  };
}

function answerBody({ batchId, accepted, rejected, warnings, durability, elapsedMs }: BatchOutcome): object {
  return {
    batch_id: batchId,
    accepted,
    rejected: rejected.length,
    errors: rejected,
    ...(warnings.length > 0 ? { warnings } : {}),
    ...(durability === null ? {} : { durability }),
    processing_time_ms: Number(elapsedMs.toFixed(2)),
  };
}
