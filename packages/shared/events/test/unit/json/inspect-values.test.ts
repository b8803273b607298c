import { expect, it } from 'vitest';
import { inspectValues } from '../../../src/json/inspect-values.ts';

const nested = (levels: number, wrap: (inner: unknown) => object): object => {
  let value: unknown = 1;
  for (let level = 0; level < levels; level += 1) value = wrap(value);
  return value as object;
};

it.each([
  ['objects', (inner: unknown) => ({ inner })],
  ['arrays', (inner: unknown) => [inner]],
])('32 levels of %s pass, 33 do not', (_what, wrap) => {
  expect(inspectValues(nested(32, wrap))).toBeNull();
  expect(inspectValues(nested(33, wrap))).toBe('nesting');
  expect(inspectValues(nested(100_000, wrap))).toBe('nesting');
});

it.each<[object]>([[{ a: Infinity }], [{ a: [1, -Infinity] }], [[{ b: { c: Infinity } }]]])(
  '%j has a number that is not finite',
  (value) => {
    expect(inspectValues(value)).toBe('number');
  },
);

it('nesting is reported before numbers, wherever either is', () => {
  const deep = nested(32, (inner) => [inner]);
  expect(inspectValues({ a: Infinity, b: deep })).toBe('nesting');
  expect(inspectValues({ a: deep, b: Infinity })).toBe('nesting');
  expect(inspectValues({ a: { b: Infinity }, c: [deep] })).toBe('nesting');
});

it.each(['{"__proto__":1}', '{"a":[{"b":{"__proto__":{}}}]}', '{"\\u005f_proto__":null}'])(
  '%s has a property __proto__, which is reported before numbers and after nesting',
  (json) => {
    const value = JSON.parse(json) as object;
    expect(inspectValues(value)).toBe('property');
    expect(inspectValues({ a: Infinity, b: value })).toBe('property');
    expect(inspectValues({ b: value, c: { d: Infinity } })).toBe('property');
    expect(inspectValues([value, nested(32, (inner) => [inner])])).toBe('nesting');
  },
);

it.each<[object]>([[{}], [[]], [{ a: null, b: 'x', c: true, d: 1.5e308, e: [{}], constructor: { prototype: 1 } }]])(
  '%j is valid',
  (value) => {
    expect(inspectValues(value)).toBeNull();
  },
);
