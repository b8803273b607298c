import { expect, it } from 'vitest';
import { type KeyPlace, keyOf, SLUICE_KEYS } from '../../../src/adapters/key-places.ts';

const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;

it.each<[string, Record<string, string | string[]>, Record<string, unknown>, readonly KeyPlace[], string | null]>([
  ['nothing', {}, {}, SLUICE_KEYS, null],
  ['a header', { 'x-api-key': 'k' }, {}, SLUICE_KEYS, 'k'],
  ['an empty header before a bearer token', { 'x-api-key': '', authorization: 'Bearer k' }, {}, SLUICE_KEYS, 'k'],
  ['a header sent twice', { 'x-api-key': ['a', 'b'] }, {}, SLUICE_KEYS, null],
  ['a bearer token', { authorization: 'bearer  k' }, {}, SLUICE_KEYS, 'k'],
  ['a bearer token of two words', { authorization: 'Bearer k l' }, {}, SLUICE_KEYS, null],
  ['Basic authentication where it is not asked for', { authorization: basic('k:') }, {}, SLUICE_KEYS, null],
  ['a user name', { authorization: basic('write key:') }, {}, [{ in: 'basic' }], 'write key'],
  ['a user name with a password', { authorization: basic('k:secret:x') }, {}, [{ in: 'basic' }], 'k'],
  ['a password alone', { authorization: basic(':secret') }, {}, [{ in: 'basic' }], null],
  ['Basic authentication without a colon', { authorization: basic('k') }, {}, [{ in: 'basic' }], null],
  ['Basic authentication that is not base64', { authorization: 'Basic k:' }, {}, [{ in: 'basic' }], null],
  ['a query parameter', {}, { token: 'k' }, [{ in: 'query', name: 'token' }], 'k'],
  ['a query parameter sent twice', {}, { token: ['a', 'b'] }, [{ in: 'query', name: 'token' }], null],
  ['another query parameter', {}, { key: 'k' }, [{ in: 'query', name: 'token' }], null],
  ['a key in the body, which is not read here', {}, { key: 'k' }, [{ in: 'body', name: 'key' }], null],
  [
    'both, in the order of the places',
    { 'x-api-key': 'h' },
    { token: 'q' },
    [{ in: 'query', name: 'token' }, ...SLUICE_KEYS],
    'q',
  ],
])('of %s', (_what, headers, query, places, key) => {
  expect(keyOf({ headers, query }, places)).toBe(key);
});
