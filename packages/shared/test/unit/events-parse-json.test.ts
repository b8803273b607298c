import { expect, it } from 'vitest';
import { digitsOf, hasLargeNumber, maySpellLargeNumber, parseKeepingDigits } from '@sluice/shared/events/parse-json';
import { forSeeds } from '../../../../tests/setup/random.ts';
import { randomJson } from '../../../../tests/setup/random-json.ts';

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

it('a literal of more than 400 characters is the float that it is', () => {
  const long = `1${'0'.repeat(300)}.${'0'.repeat(100)}`;
  expect(parseKeepingDigits(long)).toBe(1e300);
});

it.each(['text', 7, null, undefined, {}, { rawJSON: '7' }, ['7']])('%j has no digits that were kept', (value) => {
  expect(digitsOf(value)).toBeNull();
});

it('everything else is as JSON.parse has it', () => {
  forSeeds((random) => {
    const json = randomJson(random).replaceAll('12345678901234567890', '7');
    expect(parseKeepingDigits(json)).toEqual(JSON.parse(json));
  }, 300);
});

it('a text that holds a large number is never taken for one that does not', () => {
  let held = 0;
  forSeeds((random) => {
    const json = randomJson(random);
    if (!hasLargeNumber(JSON.parse(json))) return;
    held += 1;
    expect(maySpellLargeNumber(json), json).toBe(true);
  }, 300);
  expect(held).toBeGreaterThan(10);
});

it.each(['9007199254740993', '-9007199254740993.5', '1e16', '0.9e17', '-1.5E+300', '90071992547409930'])(
  'a text that holds %s is looked at',
  (number) => {
    for (const json of [number, `[${number}]`, `{"a":${number}}`, `{"a":\n${number}}`, `[0,${number}]`])
      expect(maySpellLargeNumber(json), json).toBe(true);
  },
);

it('ids and times do not make a text look as if it held a large number', () => {
  const event = { eventId: '57b8d04f-4e70-4a11-9e15-1234567890ab', at: '2026-01-31T09:30:00.123Z', n: 900719925474099 };
  expect(maySpellLargeNumber(JSON.stringify({ events: [event] }))).toBe(false);
});
