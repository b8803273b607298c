import { expect, it } from 'vitest';
import { folderName, keySegments } from '../../src/safe-key.ts';

it.each([
  ['acme', 'acme'],
  ['Acme-Corp_1.eu', 'Acme-Corp_1.eu'],
  ['..', '%2E.'],
  ['.', '%2E'],
  ['../../etc', '%2E.%2F..%2Fetc'],
  ['a/b\\c', 'a%2Fb%5Cc'],
  ['a b', 'a%20b'],
  ["it's", 'it%27s'],
  ['漢', '%E6%BC%A2'],
])('the tenant %j has the folder %j', (tenant, folder) => {
  expect(folderName(tenant)).toBe(folder);
  expect(keySegments(`${folder}/x`)).toEqual([folder, 'x']);
});

it('no name is too long for a file system, and different ones stay different', () => {
  const [one, other] = [folderName('漢'.repeat(64)), folderName(`${'漢'.repeat(63)}字`)];
  expect(one.length).toBeLessThan(255);
  expect(one).not.toBe(other);
});

it('an empty name is one too', () => expect(keySegments(folderName(''))).toHaveLength(1));
