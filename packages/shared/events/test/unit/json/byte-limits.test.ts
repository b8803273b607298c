import { expect, it } from 'vitest';
import { forSeeds } from '@sluice/testkit/random';
import { randomJson } from '@sluice/testkit/random-json';
import { countElements, hasMoreValues } from '../../../src/json/byte-limits.ts';

const valuesIn = (value: unknown): number =>
  1 +
  (typeof value === 'object' && value !== null
    ? Object.values(value).reduce((sum: number, inner) => sum + valuesIn(inner), 0)
    : 0);

/** Whether a text has more values than this. */
const exceeds = (json: string, values: number): boolean => hasMoreValues(Buffer.from(json), values);

it('counts as many values as the parser makes, the whole included', () => {
  forSeeds((random) => {
    const json = randomJson(random, 5);
    // Of two properties of one name the parsed value has the last only.
    if (/"[^"]*"\s*:/.test(json)) return;
    const values = valuesIn(JSON.parse(json));
    expect(exceeds(json, values), json).toBe(false);
    if (values > 1) expect(exceeds(json, values - 1), json).toBe(true);
  }, 500);
});

it.each([
  ['{}', 1],
  ['[ ]', 1],
  ['{"a":1}', 2],
  ['[{},{},[]]', 4],
  ['{"a":[1,2,{"b":null}],"c":"[,{,"}', 7],
  ['{"a":1,"a":2}', 3],
  ['[[[[0]]]]', 5],
])('%s has %i values', (json, values) => {
  expect(exceeds(json, values)).toBe(false);
  if (values > 1) expect(exceeds(json, values - 1)).toBe(true);
});

it.each(['"[[["', '"\\"[["', '"{\\\\[["', '', '"', '"\\', ']]]'])(
  '%s has not more values than 1: brackets in a text are text',
  (text) => {
    expect(exceeds(text, 1)).toBe(false);
  },
);

it('stops at the limit, also in a text that is not JSON', () => {
  expect(exceeds('[{[{', 1)).toBe(true);
  expect(exceeds('['.repeat(16_000_000), 1_000)).toBe(true);
});

const zeros = (count: number): Buffer => Buffer.from(JSON.stringify(Array(count).fill(0)));

it('a text of two bytes a value is counted, and a shorter one need not be', () => {
  expect(hasMoreValues(zeros(99), 100)).toBe(false);
  expect(hasMoreValues(zeros(100), 100)).toBe(true);
});

it.each([
  ['{"events":[]}', 0],
  ['{"events":[ ]}', 0],
  ['{"events":[1]}', 1],
  [' { "x" : [1,2], "events" : [ {"a":[1,2]} , [3,4], "],[" ] , "y" : [5,6] } ', 3],
  ['{"a":{"events":[1]},"events":[2,3]}', 2],
  ['{"events":[1,2,3],"events":[4]}', 1],
  ['{"events":[1,2],"events":{}}', 0],
  ['{"events":{"a":1,"b":2}}', 0],
  ['{"x":"events","y":[1,2]}', 0],
  ['[{"events":[1]}]', 0],
  // Not JSON: whatever it counts, it ends.
  [']]]}}{"events":[1,2', 0],
  ['{"events":[1,"', 2],
  ['', 0],
])('%s has %i events', (json, count) => {
  expect(countElements(Buffer.from(json), Buffer.from('"events"'))).toBe(count);
});
