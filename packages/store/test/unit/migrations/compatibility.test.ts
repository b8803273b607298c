import { expect, it } from 'vitest';
import { requireCompatible, SchemaTooNewError } from '../../../src/migrations/compatibility.ts';
import { MIGRATIONS } from '../../../src/migrations/migrations.ts';

const applied = (compatibleSince: string | null, name = '9999-of-the-future') => [
  { name, compatibleSince, finished: true },
];

it.each([
  ['0.2.0', '0.1.0'],
  ['0.2.0', '0.2.0'],
  ['0.2.0-dev', '0.2.0'],
  ['0.10.0', '0.9.3'],
  ['1.0.0', '0.99.99'],
])('version %s runs with a schema that is compatible since %s', (version, since) => {
  expect(() => requireCompatible(applied(since), MIGRATIONS, version)).not.toThrow();
});

it.each([
  ['0.2.0', '0.2.1'],
  ['0.9.3', '0.10.0'],
  ['0.2.0', '1.0.0'],
  ['0.2.0', null],
])('version %s refuses a schema that is compatible since %s', (version, since) => {
  expect(() => requireCompatible(applied(since), MIGRATIONS, version)).toThrow(SchemaTooNewError);
});

it('a migration that this version knows is never refused, whatever its row says', () => {
  expect(() => requireCompatible(applied(null, MIGRATIONS[0]!.name), MIGRATIONS, '0.1.0')).not.toThrow();
});

it('every migration names the released version since which it is compatible, and none goes back', () => {
  const since = MIGRATIONS.map(({ compatibleSince }) => compatibleSince);
  for (const version of since) expect(version).toMatch(/^\d+\.\d+\.\d+$/);
  expect(since).toEqual(since.toSorted((one, other) => one.localeCompare(other, 'en', { numeric: true })));
});
