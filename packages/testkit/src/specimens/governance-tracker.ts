import { randomUUID } from 'node:crypto';
import { governanceTrackerDoors } from '@sluice/events/adapters/governance-tracker/doors';
import { governanceTracker } from '@sluice/events/adapters/governance-tracker/governance-tracker';
import { TEXT_FIELDS } from '@sluice/events/adapters/governance-tracker/text-fields';
import { inRandomOrder, jsonObject, property, randomText } from './random-events.ts';
import type { Specimen } from './specimen.ts';

const TYPE = '"eventType":"CellChange"';
const TIME = '"timestamp":"2026-01-31T09:30:00.000Z"';

/** Writes and sends events as Excel add-ins do. */
export const governanceTrackerSpecimen: Specimen = {
  adapter: governanceTracker,
  doors: governanceTrackerDoors.map((door) => ({
    door,
    request: (events) => ({ body: Buffer.from(`{"events":[${events.join(',')}]}`), headers: {}, query: {} }),
  })),
  event(random) {
    const id = random.pick([null, randomUUID(), randomUUID().toUpperCase(), `order-${randomUUID()}`]);
    const texts = (['userName', 'sessionId', 'correlationId', 'workbookName'] as const).map((name) =>
      random.int(3) === 0 ? null : `"${name}":${random.int(4) === 0 ? 'null' : JSON.stringify(randomText(random))}`,
    );
    const time = random.pick(['2026-01-31T09:30:00.000Z', '2024-02-29T23:59:59.123456Z', '0001-01-01T00:00:00.000Z']);
    return jsonObject(
      inRandomOrder(random, [
        id === null ? null : `"eventId":"${id}"`,
        `"eventType":"${random.pick(['CellChange', 'é', 'x'.repeat(64)])}"`,
        `"timestamp":"${time}"`,
        ...texts,
        ...random.list(3, () => property(random)),
      ]),
    );
  },
  withValue: (value) => `{${TYPE},${TIME},"value":${value}}`,
  levels: 1,
  rejected: [
    { event: '7', code: 'not_an_object' },
    { event: 'null', code: 'not_an_object' },
    { event: `{${TIME}}`, code: 'missing_field' },
    { event: `{${TYPE},${TIME},"userName":7}`, code: 'invalid_type' },
    { event: `{"eventType":"${'x'.repeat(65)}",${TIME}}`, code: 'field_too_long' },
    { event: `{${TYPE},"timestamp":"yesterday"}`, code: 'invalid_timestamp' },
    { event: `{${TYPE},"timestamp":"9999-01-31T09:30:00.000Z"}`, code: 'timestamp_in_future' },
    { event: `{${TYPE},${TIME},"value":1e400}`, code: 'invalid_number' },
  ],
  givenBack(event, eventId) {
    const back: Record<string, unknown> = { ...event };
    for (const name of TEXT_FIELDS) if (back[name] === null) delete back[name];
    // A UUID comes back in small letters.
    const name = back['eventId'];
    return { ...back, eventId: typeof name === 'string' && name.toLowerCase() !== eventId ? name : eventId };
  },
};
