import { describe, expect, it } from 'vitest';
import { PROMISES } from '@sluice/testkit/adapter-conformance';
import type { Random } from '@sluice/testkit/random';
import type { Specimen } from '@sluice/testkit/specimens/specimen';
import { jsonObject, property } from '@sluice/testkit/specimens/random-events';
import { SPECIMENS } from '@sluice/testkit/specimens/specimens';
import type { Door } from '../../../src/adapters/door.ts';
import { DOORS } from '../../../src/adapters/doors.ts';
import type { EventAdapter } from '../../../src/adapters/event-adapter.ts';
import { ADAPTERS } from '../../../src/adapters/registry.ts';
import { exampleAdapter, exampleDoor } from './example-source.ts';

const STORES = 'the writer stores exactly the accepted events, under the ids they have on their own';
const STAND_ALONE = 'an event that is cut out of a batch stands alone';
const EVENT_LIMITS = 'the limits of an event hold';
const BATCH_LIMITS = 'the limits of a batch hold';
const FAST = 'the fast way accepts nothing that the long way does not';
const GIVES_BACK = 'reading gives back what was sent';
const KEYS = 'a key reaches no entry';

/** A source with what none of the registry has yet: a key in the body, and an envelope. */
const example: Specimen = {
  adapter: exampleAdapter,
  doors: [
    {
      door: exampleDoor,
      request: (events, key) => ({
        body: Buffer.from(
          `{"sentAt":"2026-11-21T09:20:00.000Z","batch":[${events.join(', ')}]${key === null ? '' : `,"key":"${key}"`}}`,
        ),
        headers: {},
        query: {},
      }),
    },
  ],
  event: (random: Random) =>
    jsonObject([
      `"name":"Order Completed"`,
      ...random.list(1, () => `"id":"ajs-next-${random.int(2 ** 40)}"`),
      ...random.list(1, () => '"at":"2026-11-21T09:19:59.000Z"'),
      ...random.list(3, () => property(random)),
    ]),
  withValue: (value) => `{"name":"n","properties":${value}}`,
  levels: 1,
  rejected: [
    { event: '{}', code: 'missing_field' },
    { event: '[]', code: 'not_an_object' },
  ],
  givenBack: (event) => ({ ...event }),
};

const promises = Object.entries(PROMISES);

it('every adapter and every door of the registry has a specimen', () => {
  expect(SPECIMENS.map(({ adapter }) => adapter)).toEqual(ADAPTERS);
  expect(SPECIMENS.flatMap(({ doors }) => doors.map(({ door }) => door))).toEqual(DOORS);
  expect(new Set(ADAPTERS.map(({ source }) => source)).size).toBe(ADAPTERS.length);
  expect(new Set(DOORS.map(({ method, path }) => `${method} ${path}`)).size).toBe(DOORS.length);
});

describe.each([...SPECIMENS, example].map((specimen) => [specimen.adapter.source, specimen] as const))(
  '%s',
  (_, specimen) => {
    it.each(promises.filter(([name]) => name !== FAST || specimen.adapter.countPlain !== undefined))(
      '%s',
      async (_name, promise) => {
        await promise(specimen);
        expect.hasAssertions();
      },
    );
  },
);

/** The specimen of an adapter with a defect, wherever its doors give the adapter out. */
function broken(specimen: Specimen, change: Partial<EventAdapter>, changeDoor: Partial<Door> = {}): Specimen {
  const adapter = { ...specimen.adapter, ...change };
  const doors = specimen.doors.map(({ door, request }) => ({
    door: {
      ...door,
      read: (...asked: Parameters<Door['read']>) => ({ ...door.read(...asked), adapter }),
      ...changeDoor,
    },
    request,
  }));
  return { ...specimen, adapter, doors };
}

const [governance, web] = SPECIMENS as [Specimen, Specimen];
const { adapter: tracker } = governance;

describe('the suite finds an adapter', () => {
  it.each<[string, string, Specimen]>([
    ['that finds no events in the bytes', STORES, broken(governance, { locate: () => [] })],
    [
      'that overlooks the last event',
      STORES,
      broken(governance, { locate: (body) => tracker.locate(body).slice(0, -1) }),
    ],
    ['that finds other bytes', STAND_ALONE, broken(web, { locate: (body) => [{ start: 0, end: body.length - 1 }] })],
    [
      'whose cut bodies it does not know again',
      STORES,
      broken(governance, { around: { open: '{"batch":[', close: ']}' } }),
    ],
    ['whose cut events are of another shape', STAND_ALONE, broken(web, { around: { open: '[', close: ']' } })],
    [
      'whose ids depend on the place in the entry',
      STORES,
      broken(governance, {
        project: (event, origin) => tracker.project(event, { ...origin, index: origin.index % 500 }),
      }),
    ],
    ['that rejects nothing', EVENT_LIMITS, broken(governance, { validate: () => null })],
    ['that counts what it should not', FAST, broken(governance, { countPlain: () => 1 })],
    ['that never counts', FAST, broken(governance, { countPlain: () => 0 })],
    ['that is read back with names of another', GIVES_BACK, broken(governance, { toWire: web.adapter.toWire })],
    [
      'whose door forgets the limit of events and counts wrong',
      BATCH_LIMITS,
      broken(
        governance,
        {},
        { read: (request, limits) => ({ ...governance.doors[0]!.door.read(request, limits), eventCount: 1 }) },
      ),
    ],
    [
      'whose door lets the key pass',
      KEYS,
      broken(
        example,
        {},
        { read: (request, limits) => ({ ...exampleDoor.read(request, limits), body: request.body }) },
      ),
    ],
  ])('%s', async (_what, promise, specimen) => {
    await expect(Promise.resolve().then(() => PROMISES[promise]!(specimen))).rejects.toThrow();
  });
});
