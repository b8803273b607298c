import { describe, expect, it } from 'vitest';
import { webCollection } from '../../src/adapters/web-collection/web-collection.ts';
import { MAX_EVENT_VALUES } from '../../src/canonical-event.ts';
import { validateEvent } from '../../src/validate-event.ts';

const MAX_EVENT_BYTES = 256 * 1024;

/** What validation says of an event that is a body alone, and of one in a body of this size. */
function validate(json: string, bytesAround = Buffer.byteLength(json)) {
  return validateEvent(JSON.parse(json), {
    adapter: webCollection,
    tenant: 'acme',
    receivedAt: 0,
    maxEventBytes: MAX_EVENT_BYTES,
    bytesAround,
    json: () => Buffer.from(json),
    name: 'Event 0',
  });
}

const list = (value: string, count: number): string => `{"v":[${Array(count).fill(value).join(',')}]}`;

/** The event with so long a text besides. */
const padded = (event: string, length: number): string => `${event.slice(0, -1)},"p":"${'x'.repeat(length)}"}`;

describe('values', () => {
  // The event and the array are two.
  it.each(['0', '"a"', '{}', '[]', 'null', '1e1'])('%s: as many as there may be, and one more', (value) => {
    for (const around of [undefined, 16 * 1024 * 1024]) {
      expect(validate(list(value, MAX_EVENT_VALUES - 2), around)).toBeNull();
      expect(validate(list(value, MAX_EVENT_VALUES - 1), around)).toEqual({
        code: 'too_many_values',
        field: 'v',
        message: 'The event has more than 20000 values, most of them in v.',
      });
    }
  });

  it('of many properties, none of them is named', () => {
    const properties = Array.from({ length: MAX_EVENT_VALUES }, (_, at) => `"k${at}":1`);
    expect(validate(`{${properties.slice(1).join(',')}}`)).toBeNull();
    expect(validate(`{${properties.join(',')}}`)).toEqual({
      code: 'too_many_values',
      message: 'The event has more than 20000 values.',
    });
  });

  it('of a property that another one of its name hides are read by the writer, and count', () => {
    const hidden = `{"v":[${Array(MAX_EVENT_VALUES).fill(0).join(',')}],"v":1}`;
    expect(validate(hidden, MAX_EVENT_BYTES + 1)).toMatchObject({ code: 'too_many_values' });
  });
});

describe('numbers count as Postgres writes them out', () => {
  it.each(['1e308', '-1e308', '1E+0308', '1e-300', '-1e-307', '9.99e307', '[[1e308]]', '{"a":{"b":1e-300}}'])(
    '%s',
    (value) => {
      expect(validate(list(value, 800))).toBeNull();
      for (const around of [undefined, 16 * 1024 * 1024]) {
        expect(validate(list(value, 900), around)).toMatchObject({
          code: 'event_too_large',
          field: 'v',
          message: expect.stringMatching(
            /^With its numbers written out the event has \d{6} bytes, most of them in v; the limit is 262144\.$/,
          ) as unknown,
        });
      }
    },
  );

  it('to the byte', () => {
    // 800 numbers of 309 digits, their commas and what is around.
    const bytes = 800 * 310 - 1 + '{"v":[],"p":""}'.length;
    expect(validate(padded(list('1e308', 800), MAX_EVENT_BYTES - bytes))).toBeNull();
    expect(validate(padded(list('1e308', 800), MAX_EVENT_BYTES - bytes + 1))).toMatchObject({
      code: 'event_too_large',
      field: 'v',
    });
  });

  it.each([
    ['zeros with an exponent', '0e308'],
    ['whole numbers without an exponent', '12345678901234567890'],
    ['times in milliseconds', '1769851800000'],
    ['texts and names', '{"1e308":"1e308"}'],
  ])('%s do not grow', (_what, value) => {
    const event = list(value, Math.floor(200_000 / (value.length + 1) / 4));
    expect(validate(event)).toBeNull();
    // So close to the limit that only an exact count can tell.
    const room = MAX_EVENT_BYTES - Buffer.byteLength(event) - ',"p":""'.length;
    expect(validate(padded(event, room))).toBeNull();
  });
});
