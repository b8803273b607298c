import { expect, it } from 'vitest';
import { forSeeds } from '@sluice/testkit/random';
import { randomJson } from '@sluice/testkit/random-json';
import { inspectValues } from '../../../src/json/inspect-values.ts';
import { writtenOutBytes } from '../../../src/json/written-out.ts';

const written = (json: string): number => writtenOutBytes(Buffer.from(json));

/** The number of characters of the text that Postgres makes of a number, as `numeric` has it. */
it.each([
  ['1e308', 309],
  ['1E308', 309],
  ['1e+308', 309],
  ['1E+0308', 309],
  ['-1e308', 310],
  ['1.5e300', 301],
  ['1e-300', 302],
  ['-1e-307', 310],
  ['1.25E-10', 14],
  ['5e-324', 326],
  ['1e3', 4],
  ['1.5e1', 2],
  ['123.456e1', 7],
  ['1e21', 22],
  ['1e22', 23],
  ['0e308', 1],
  ['-0e5', 1],
  // JavaScript has no number so small: the writer sends 0.
  ['1e-400', 1],
  ['0.001e20', 18],
  ['12345678901234567890e10', 30],
])('%s is %i characters', (literal, characters) => {
  expect(written(literal)).toBe(characters);
  expect(written(`{"a":[${literal},{"b":${literal}}]}`)).toBe('{"a":[,{"b":}]}'.length + 2 * characters);
});

it.each(['0', '-1.50', '12345678901234567890', '"1e308"', '{"1e308":"\\"1e308"}', '[]', '1000000', '0.0000001'])(
  '%s stays as it is',
  (json) => {
    expect(written(json)).toBe(json.length);
  },
);

it('never grows by more than the bound that a walk of the parsed value gives', () => {
  forSeeds((random) => {
    const number = (): string => {
      const digits = String(random.int(10 ** (1 + random.int(9))));
      const decimals = random.int(2) === 0 ? '' : `.${random.int(1_000)}`;
      const exponent = random.pick(['', 'e', 'E', 'e+', 'e-', 'E-']);
      return `${random.pick(['', '-'])}${digits}${decimals}${exponent === '' ? '' : `${exponent}${random.int(298)}`}`;
    };
    const json = `{"a":[${random.list(20, number).join(',')}],"b":${randomJson(random)}}`;
    const sums = { values: 1, growth: 0 };
    expect(inspectValues(JSON.parse(json) as object, 1, sums)).toBeNull();
    expect(written(json) - Buffer.byteLength(json), json).toBeLessThanOrEqual(sums.growth);
  }, 300);
});
