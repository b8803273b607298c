import { expect, it } from 'vitest';
import { arrayLiteral } from '../../../src/write/array-literal.ts';

it('quotes every text, so that none is taken for a delimiter, a brace or NULL', () => {
  expect(arrayLiteral(['a', null, '', 'NULL', 'x,y', '{}', 'é\n'])).toBe('{"a",NULL,"","NULL","x,y","{}","é\n"}');
});

it('escapes quotes and backslashes', () => {
  expect(arrayLiteral(['"', 'a\\b', '\\"'])).toBe(String.raw`{"\"","a\\b","\\\""}`);
});

it('an array may be empty, or begin with what is empty', () => {
  expect(arrayLiteral([])).toBe('{}');
  expect(arrayLiteral(['', ''])).toBe('{"",""}');
});
