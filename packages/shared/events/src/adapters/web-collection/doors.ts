import { ApiError } from '@sluice/errors/api-errors';
import { hasLargeNumber, parseKeepingDigits } from '../../json/parse-json.ts';
import { readBody } from '../../json/read-body.ts';
import { restorePlus } from '../../timestamp.ts';
import type { DoorRequest } from '../door-request.ts';
import type { Answer, BatchOutcome, Door, ReadBatch } from '../door.ts';
import type { JsonObject } from '../event-adapter.ts';
import { SLUICE_KEYS } from '../key-places.ts';
import { collectBodySchema, collectQuerySchema, pixelSchema } from './doors-schema.ts';
import { collectedEventId, webCollection } from './web-collection.ts';

const shared = { bodyLimit: 'event', keys: SLUICE_KEYS, sites: true } as const;

/** `POST|GET /collect` and `GET /pixel.gif`: one event each, from a web page. */
export const webCollectionDoors: readonly Door[] = [
  {
    ...shared,
    method: 'POST',
    path: '/collect',
    // navigator.sendBeacon sends a string as text/plain.
    mediaTypes: ['application/json', 'text/plain'],
    schema: collectBodySchema,
    // As the query, when nothing is in the body: some pages send it so.
    read: (request) =>
      request.body.length === 0 && Object.keys(request.query).length > 0 ? readQuery(request) : readEvent(request.body),
    answer: answerWithId,
  },
  {
    ...shared,
    method: 'GET',
    path: '/collect',
    mediaTypes: [],
    schema: collectQuerySchema,
    read: readQuery,
    answer: answerWithId,
  },
  {
    ...shared,
    method: 'GET',
    path: '/pixel.gif',
    mediaTypes: [],
    schema: pixelSchema,
    read: readQuery,
    // Always a picture, so that no page shows a broken one. The status still says what happened.
    answer: () => picture(202, {}),
    answerError: (error) => picture(error.statusCode, { 'x-sluice-error': error.code }),
  },
];

/** Turns the query parameters into a JSON body: the client sent none. Form decoding took the `+` out of its time. */
function readQuery({ query }: DoorRequest): ReadBatch {
  const { timestamp } = query;
  const event = typeof timestamp === 'string' ? { ...query, timestamp: restorePlus(timestamp) } : query;
  return readEvent(Buffer.from(JSON.stringify(event)));
}

function readEvent(body: Buffer): ReadBatch {
  const { bytes, parsed, text } = readBody(body);
  const events = webCollection.eventsOf(parsed);
  if (events === null) throw new ApiError('invalid_body', 'The body must be one JSON object: the event.');
  const site = { property: 'siteId', value: (parsed as JsonObject)['siteId'] };
  return { adapter: webCollection, body: bytes, eventCount: 1, parsed: { events, text }, site };
}

function answerWithId({ batch, tenant, batchId, receivedAt, durability }: BatchOutcome): Answer {
  const { events, text } = batch.parsed!;
  const event = events[0] as JsonObject;
  // Read as the writer will read it, so that the answer has the id that is stored.
  const stored = hasLargeNumber(event['eventId']) ? (parseKeepingDigits(text) as JsonObject) : event;
  return {
    status: 202,
    headers: { 'cache-control': 'no-store' },
    body: {
      status: 'success',
      message: 'Event received and queued',
      event_id: collectedEventId(stored, { tenant, batchId, index: 0 }),
      timestamp: receivedAt.toISOString(),
      durability,
    },
  };
}

/** A transparent 1×1 GIF, 43 bytes. */
const PIXEL = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==', 'base64');

function picture(status: number, headers: Record<string, string>): Answer {
  return { status, headers: { 'cache-control': 'no-store', 'content-type': 'image/gif', ...headers }, body: PIXEL };
}
