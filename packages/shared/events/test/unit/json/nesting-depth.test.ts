import { expect, it } from 'vitest';
import { forSeeds } from '@sluice/testkit/random';
import { randomJson } from '@sluice/testkit/random-json';
import { isNestedDeeper } from '../../../src/json/nesting-depth.ts';

const depthOf = (value: unknown): number =>
  typeof value !== 'object' || value === null ? 0 : 1 + Math.max(0, ...Object.values(value).map(depthOf));

it('agrees with a walk of the parsed value', () => {
  forSeeds((random) => {
    const json = randomJson(random, 6);
    const depth = depthOf(JSON.parse(json));
    expect(isNestedDeeper(Buffer.from(json), depth - 1)).toBe(depth > 0);
    // Of two keys of one name the parsed value has the last only.
    if (!/"[^"]*"\s*:/.test(json)) expect(isNestedDeeper(Buffer.from(json), depth)).toBe(false);
  }, 500);
});

it.each(['"[[["', '"\\"[["', '{"a\\\\":"[["}', '[[],[],{}]', '', '"', '"\\', ']]]['])(
  '%s is not deeper than 2',
  (text) => {
    expect(isNestedDeeper(Buffer.from(text), 2)).toBe(false);
  },
);

it('stops at the limit, also in a text that is not JSON', () => {
  expect(isNestedDeeper(Buffer.from('[{[{'), 3)).toBe(true);
  expect(isNestedDeeper(Buffer.from('[{[{'), 4)).toBe(false);
});
