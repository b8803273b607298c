import { randomUUID } from 'node:crypto';
import type { DoorRequest } from '@sluice/events/adapters/door-request';
import { webCollectionDoors } from '@sluice/events/adapters/web-collection/doors';
import { webCollection } from '@sluice/events/adapters/web-collection/web-collection';
import { inRandomOrder, jsonObject, property, randomText } from './random-events.ts';
import type { Specimen } from './specimen.ts';

/** Writes and sends events as web pages do. */
export const webCollectionSpecimen: Specimen = {
  adapter: webCollection,
  doors: webCollectionDoors.map((door) => ({
    door,
    request([event = '']) {
      if (door.method === 'POST') return { body: Buffer.from(event), headers: {}, query: {} };
      const query = queryOf(event);
      return query === null ? null : { body: Buffer.alloc(0), headers: {}, query };
    },
  })),
  event(random) {
    // Half of all events fit into a query string too.
    const flat = random.int(2) === 0;
    const names = ['eventType', 'visitorId', 'sessionId', 'correlationId', 'path', 'url', 'siteId'];
    return jsonObject(
      inRandomOrder(random, [
        random.pick([null, `"eventId":"${randomUUID()}"`, `"eventId":"visit ${randomUUID()}"`]),
        `"timestamp":"${random.pick(['2026-01-31T09:30:00.000Z', '2024-02-29T23:59:59.123456Z'])}"`,
        ...names.map((name) => {
          const value =
            !flat && random.int(3) === 0 ? random.pick(['7', 'null', 'true', '12345678901234567890']) : null;
          return random.int(3) === 0 ? null : `"${name}":${value ?? JSON.stringify(randomText(random))}`;
        }),
        ...(flat ? [] : random.list(3, () => property(random))),
      ]),
    );
  },
  withValue: (value) => `{"value":${value}}`,
  levels: 1,
  rejected: [
    { event: '{"timestamp":"9999-01-31T09:30:00.000Z"}', code: 'timestamp_in_future' },
    { event: '{"value":1e400}', code: 'invalid_number' },
  ],
  givenBack: (event, eventId) => ({
    ...event,
    eventId: event['eventId'] ?? eventId,
    // Empty means that the page does not say; the event has a type nevertheless.
    eventType: event['eventType'] === '' ? 'page_view' : (event['eventType'] ?? 'page_view'),
  }),
};

/** The event as query parameters; null for one that is not all texts. */
function queryOf(event: string): DoorRequest['query'] | null {
  const value: unknown = JSON.parse(event);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  // Half a surrogate pair cannot be in a URL.
  const texts = Object.entries(value).every(([name, each]) => typeof each === 'string' && (name + each).isWellFormed());
  return texts ? { ...value } : null;
}
