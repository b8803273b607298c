import { expect, it } from 'vitest';
import { forSeeds } from '@sluice/testkit/random';
import { randomJson } from '@sluice/testkit/random-json';
import { parseKeepingDigits } from '../../../src/json/parse-json.ts';
import { hasUnstorableText, maySpellUnstorableText, replaceUnstorableText } from '../../../src/json/unstorable-text.ts';

it.each([
  ['"\\u0000"', '"\uFFFD"'],
  ['"a\\u0000\\u0000b"', '"a\uFFFD\uFFFDb"'],
  ['"\\ud800"', '"\uFFFD"'],
  ['"\\uDFFFx"', '"\uFFFDx"'],
  ['"\\udc00\\ud800"', '"\uFFFD\uFFFD"'],
  ['{"\\u0000":["\\uD83D"]}', '{"\uFFFD":["\uFFFD"]}'],
])('%s is found and stored as %s', (json, stored) => {
  expect(maySpellUnstorableText(json)).toBe(true);
  expect(hasUnstorableText(JSON.parse(json))).toBe(true);
  expect(replaceUnstorableText(JSON.parse(json))).toEqual(JSON.parse(stored));
});

it.each(['"\\ud83d\\ude00"', '"\\\\u0000"', '"\\\\ud800"', '"😀"', '"\\u0001"', '{"a":[1,null,true]}', '"u0000"'])(
  '%s stays as it is',
  (json) => {
    const value: unknown = JSON.parse(json);
    expect(hasUnstorableText(value)).toBe(false);
    expect(replaceUnstorableText(value)).toEqual(value);
  },
);

it('the search of the text misses none, and the copy has none left', () => {
  forSeeds((random) => {
    const json = randomJson(random);
    const value: unknown = JSON.parse(json);
    if (hasUnstorableText(value)) expect(maySpellUnstorableText(json)).toBe(true);
    const stored = replaceUnstorableText(value);
    expect(hasUnstorableText(stored)).toBe(false);
    expect(JSON.stringify(stored)).not.toMatch(/\\u0000|\\ud[89a-f]/i);
  }, 500);
});

it('numbers with preserved digits are not changed', () => {
  const value = parseKeepingDigits('{"a":"\\u0000","b":12345678901234567890,"c":[98765432109876543210]}');
  expect(JSON.stringify(replaceUnstorableText(value))).toBe(
    '{"a":"\uFFFD","b":12345678901234567890,"c":[98765432109876543210]}',
  );
});
