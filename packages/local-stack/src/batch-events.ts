import { batchDigest, batchIdFromKey, resolveEventId } from '@sluice/events/event-id';
import type { EventText } from './read-events-file.ts';

/** The tenant of events that are sent with a key from API_KEY, or without a key. */
export const DEMO_TENANT = 'default';

/** The body of one request, and the ids under which its events will be stored, in their order. */
export interface EventBatch {
  body: Buffer;
  /** Sent as Idempotency-Key: events without an id get the same one when the same batch is sent again. */
  idempotencyKey: string;
  ids: string[];
}

/** Groups events into request bodies of `size` events; the last one may be smaller. */
export async function* batchEvents(
  events: Iterable<EventText> | AsyncIterable<EventText>,
  size: number,
): AsyncGenerator<EventBatch> {
  let batch: EventText[] = [];
  for await (const event of events) {
    batch.push(event);
    if (batch.length < size) continue;
    yield toBatch(batch);
    batch = [];
  }
  if (batch.length > 0) yield toBatch(batch);
}

function toBatch(events: EventText[]): EventBatch {
  const body = Buffer.from(`{"events":[${events.map(({ text }) => text).join(',')}]}`);
  const digest = batchDigest(body);
  const idempotencyKey = digest.toString('hex');
  const batchId = batchIdFromKey({ tenant: DEMO_TENANT, route: 'POST /api/events', key: idempotencyKey, digest });
  return {
    body,
    idempotencyKey,
    ids: events.map(({ eventId }, index) => resolveEventId(DEMO_TENANT, eventId, batchId, index)),
  };
}
