import { expect } from 'vitest';
import { MAX_EVENT_VALUES, MAX_NESTING } from '@sluice/events/canonical-event';
import { CHARACTERS_REPLACED } from '@sluice/events/json/unstorable-text';
import type { Specimen, SpecimenDoor } from '../specimens/specimen.ts';
import { accept, type Accepted, expectCode, LIMITS } from './accept-request.ts';
import { decode } from './decode-rows.ts';

/** Size, nesting, numbers and characters of each event are limited. */
export async function limitsOfEventsHold(specimen: Specimen): Promise<void> {
  let bodies = 0;
  for (const door of specimen.doors) {
    for (const { event, code } of specimen.rejected) {
      const outcome = await outcomeOf(door, event);
      if (outcome !== null)
        expect(
          outcome.result.rejected.map((each) => each.code),
          event,
        ).toEqual([code]);
    }
    const event = specimen.withValue('"x"');
    const exact = await outcomeOf(door, event, Buffer.byteLength(event));
    // A door that makes the JSON itself may use more or fewer bytes.
    if (exact !== null && exact.batch.body.includes(event)) {
      expect(exact.result.accepted, 'an event as large as it may be').toBe(1);
      const tooSmall = await outcomeOf(door, event, Buffer.byteLength(event) - 1);
      expect(tooSmall?.result.rejected[0]?.code, 'an event that is a byte too large').toBe('event_too_large');
    }
    if ((await outcomeOf(door, specimen.withValue('[]'))) === null) continue;
    bodies += 1;
    const room = MAX_NESTING - specimen.levels;
    expect((await outcomeOf(door, specimen.withValue(deep(room))))?.result.accepted, 'as deep as it may be').toBe(1);
    for (const [value, code] of [
      [deep(room + 1), 'nesting_too_deep'],
      ['{"__proto__":1}', 'forbidden_property'],
      ['{"\\u005f_proto__":1}', 'forbidden_property'],
      ['[1e400]', 'invalid_number'],
    ] as const)
      expect((await outcomeOf(door, specimen.withValue(value)))?.result.rejected[0]?.code, value).toBe(code);
    for (const number of ['1e308', '-1e-307', '1E+0308']) {
      const many = specimen.withValue(`[${Array(220).fill(number).join(',')}]`);
      expect((await outcomeOf(door, many))?.result.rejected[0]?.code, `220 times ${number}`).toBe('event_too_large');
      const some = specimen.withValue(`[${Array(190).fill(number).join(',')}]`);
      expect((await outcomeOf(door, some))?.result.accepted, `190 times ${number}`).toBe(1);
    }
    const values = specimen.withValue(`[${Array(MAX_EVENT_VALUES).fill('0').join(',')}]`);
    expect((await outcomeOf(door, values))?.result.rejected[0]?.code, 'values').toBe('too_many_values');
    for (const unstorable of ['"\\u0000"', '{"\\ud800":1}', '["\\udc00x"]']) {
      const { result, entries } = (await outcomeOf(door, specimen.withValue(unstorable)))!;
      expect(
        result.warnings.map(({ code }) => code),
        unstorable,
      ).toEqual([CHARACTERS_REPLACED]);
      const [stored] = decode(specimen, entries[0]!, 0).events;
      expect(stored?.flags, unstorable).toEqual([CHARACTERS_REPLACED]);
      expect(stored?.payload, unstorable).not.toMatch(/\\u0000|\\ud800|\\udc00/);
    }
  }
  expect(bodies, 'doors that carry any value').toBeGreaterThan(0);
}

/** The number of events in a batch is limited. */
export async function limitsOfBatchesHold(specimen: Specimen): Promise<void> {
  for (const door of specimen.doors) {
    const send = (events: readonly string[], maxEvents: number) => {
      const request = door.request(events, null);
      return request === null ? null : accept(door.door, request, { ...LIMITS, maxEvents });
    };
    if (specimen.adapter.holds === 'one') {
      const list = send(['[]'], 1);
      if (list !== null) await expectCode(list, 'invalid_body');
      continue;
    }
    const [one, two] = [specimen.withValue('1'), specimen.withValue('2')];
    expect((await send([one, two], 2))?.result.accepted).toBe(2);
    await expectCode(send([one, two], 1)!, 'too_many_events');
    await expectCode(send([], 2)!, 'invalid_body');
    const none = await send([specimen.rejected[0]!.event, specimen.rejected[0]!.event], 2);
    expect(none?.result).toMatchObject({ accepted: 0, durability: null });
    expect(none?.entries).toEqual([]);
  }
}

/** The result for one event; null when the door cannot carry it. */
async function outcomeOf(
  door: SpecimenDoor,
  event: string,
  maxEventBytes = LIMITS.maxEventBytes,
): Promise<Accepted | null> {
  const request = door.request([event], null);
  return request === null ? null : accept(door.door, request, { ...LIMITS, maxEventBytes });
}

/** JSON text of N arrays inside each other. */
function deep(levels: number): string {
  return '['.repeat(levels) + ']'.repeat(levels);
}
