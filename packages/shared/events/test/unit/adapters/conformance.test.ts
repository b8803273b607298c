import { describe, expect, it } from 'vitest';
import { PROMISES } from '@sluice/testkit/adapter-conformance';
import { exampleDoor, exampleSpecimen } from '@sluice/testkit/specimens/example-source';
import type { Specimen } from '@sluice/testkit/specimens/specimen';
import { SPECIMENS } from '@sluice/testkit/specimens/specimens';
import type { Door } from '../../../src/adapters/door.ts';
import { DOORS } from '../../../src/adapters/doors.ts';
import type { EventAdapter } from '../../../src/adapters/event-adapter.ts';
import { ADAPTERS } from '../../../src/adapters/registry.ts';

const STORES = 'the writer stores exactly the accepted events, under the ids they have on their own';
const STAND_ALONE = 'an event that is cut out of a batch is a valid body alone';
const EVENT_LIMITS = 'the limits of an event hold';
const BATCH_LIMITS = 'the limits of a batch hold';
const FAST = 'the fast way accepts nothing that the long way does not';
const GIVES_BACK = 'reading returns what was sent';
const KEYS = 'a key reaches no entry';

const promises = Object.entries(PROMISES);

it('every adapter and every door of the registry has a specimen', () => {
  expect(SPECIMENS.map(({ adapter }) => adapter)).toEqual(ADAPTERS);
  expect(SPECIMENS.flatMap(({ doors }) => doors.map(({ door }) => door))).toEqual(DOORS);
  expect(new Set(ADAPTERS.map(({ source }) => source)).size).toBe(ADAPTERS.length);
  expect(new Set(DOORS.map(({ method, path }) => `${method} ${path}`)).size).toBe(DOORS.length);
});

/** The example has what no source of the registry has yet: a key in the body and an envelope. */
describe.each([...SPECIMENS, exampleSpecimen].map((specimen) => [specimen.adapter.source, specimen] as const))(
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

/** The specimen with a defect in its adapter, also where its doors return the adapter. */
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
  it.each<[string, string, RegExp, Specimen]>([
    ['that finds no events in the bytes', STORES, /0 are located/, broken(governance, { locate: () => [] })],
    [
      'that misses the last event',
      STORES,
      /are located/,
      broken(governance, { locate: (body) => tracker.locate(body).slice(0, -1) }),
    ],
    [
      'that finds other bytes',
      STAND_ALONE,
      /with seed 1: .*JSON/,
      broken(web, { locate: (body) => [{ start: 0, end: body.length - 1 }] }),
    ],
    [
      'that does not recognise the bodies cut from its own',
      STORES,
      /the body is not one of governance-tracker/,
      broken(governance, { around: { open: '{"batch":[', close: ']}' } }),
    ],
    [
      'whose cut events are of another shape',
      STAND_ALONE,
      /expected null to deeply equal/,
      broken(web, { around: { open: '[', close: ']' } }),
    ],
    [
      'whose ids depend on the position in the entry',
      STORES,
      /seed 8: ids/,
      broken(governance, {
        project: (event, origin) => tracker.project(event, { ...origin, index: origin.index % 500 }),
      }),
    ],
    [
      'that rejects nothing',
      EVENT_LIMITS,
      /"timestamp".*: expected \[\] to deeply equal/,
      broken(governance, { validate: () => null }),
    ],
    ['that counts invalid events', FAST, /with seed 1: /, broken(governance, { countPlain: () => 1 })],
    [
      'that never counts',
      FAST,
      /events that take the fast way: expected 0/,
      broken(governance, { countPlain: () => 0 }),
    ],
    [
      'that is read back with the names of another',
      GIVES_BACK,
      /with seed 1: .*to deeply equal/,
      broken(governance, { toWire: web.adapter.toWire }),
    ],
    [
      'whose door miscounts, and so passes the limit of events',
      BATCH_LIMITS,
      /expected 1 to be 2/,
      broken(
        governance,
        {},
        { read: (request, limits) => ({ ...governance.doors[0]!.door.read(request, limits), eventCount: 1 }) },
      ),
    ],
    [
      'whose door lets the key pass',
      KEYS,
      /not to contain 'key-that/,
      broken(
        exampleSpecimen,
        {},
        { read: (request, limits) => ({ ...exampleDoor.read(request, limits), body: request.body }) },
      ),
    ],
  ])('%s', async (_what, promise, message, specimen) => {
    await expect(Promise.resolve().then(() => PROMISES[promise]!(specimen))).rejects.toThrow(message);
  });
});
