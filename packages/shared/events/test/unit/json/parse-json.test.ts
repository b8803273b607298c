import { expect, it } from 'vitest';
import { forSeeds } from '@sluice/testkit/random';
import { randomJson } from '@sluice/testkit/random-json';
import { digitsOf, hasLargeNumber, parseKeepingDigits } from '../../../src/json/parse-json.ts';

it.each(['12345678901234567890', '-98765432109876543210', '9007199254740993', '1'.repeat(400), '1e300'])(
  '%s keeps its digits',
  (number) => {
    expect(hasLargeNumber(JSON.parse(`{"a":[${number}]}`))).toBe(true);
    const parsed = parseKeepingDigits(`{"a":[${number}]}`) as { a: unknown[] };
    expect(JSON.stringify(parsed)).toBe(`{"a":[${number}]}`);
    expect(digitsOf(parsed.a[0])).toBe(number);
  },
);

it.each([0, -1, 1.5, 9007199254740991, -9007199254740991, 1e-300])('%d is a number like any other', (number) => {
  expect(hasLargeNumber({ a: number })).toBe(false);
  expect(parseKeepingDigits(JSON.stringify({ a: number }))).toEqual({ a: number });
});

it('a literal of more than 400 characters becomes a float', () => {
  const long = `1${'0'.repeat(300)}.${'0'.repeat(100)}`;
  expect(parseKeepingDigits(long)).toBe(1e300);
});

it.each(['text', 7, null, undefined, {}, { rawJSON: '7' }, ['7']])('%j has no preserved digits', (value) => {
  expect(digitsOf(value)).toBeNull();
});

it('everything else is as JSON.parse reads it', () => {
  forSeeds((random) => {
    const json = randomJson(random).replaceAll('12345678901234567890', '7');
    expect(parseKeepingDigits(json)).toEqual(JSON.parse(json));
  }, 300);
});

it.each(['9007199254740993', '-9007199254740993.5', '1e16', '0.9e17', '-1.5E+300', '90071992547409930'])(
  '%s is found at any position',
  (number) => {
    for (const json of [number, `[${number}]`, `{"a":${number}}`, `[["0",{"a":"0","b":{"c":[0,${number}]}}]]`])
      expect(hasLargeNumber(JSON.parse(json)), json).toBe(true);
  },
);

it('no text is read as a large number', () => {
  const event = { eventId: '57b8d04f-4e70-4a11-9e15-1234567890ab', at: '12345678901234567890', n: 900719925474099 };
  expect(hasLargeNumber({ events: [event, null, [['9e99']]] })).toBe(false);
});
