import { expect, it } from 'vitest';
import { DATABASE_PARAMETERS, databaseUrlProblem } from '@sluice/daemon/config/database-url';
import { readPage } from './markdown-files.ts';
import { tableRows } from './table-rows.ts';

const page = readPage('docs/operate/tls-to-postgres.md').text;

/** The names in the first column of a section's table. */
function namesIn(heading: string): string[] {
  const section = page.split(`\n## ${heading}\n`)[1]!.split('\n## ')[0]!;
  return tableRows(section).flatMap(([cell = '']) => [...cell.matchAll(/`([\w-]+)`/g)].map(([, name]) => name!));
}

it('the page has every parameter of DATABASE_URL that is read, and no other', () => {
  expect(namesIn('Parameters').toSorted()).toEqual([...DATABASE_PARAMETERS].toSorted());
});

it('the page has every sslmode, and says which are refused', () => {
  const problems = namesIn('TLS').map((mode) => [mode, databaseUrlProblem(`postgres://h/d?sslmode=${mode}`)]);
  expect(Object.fromEntries(problems)).toEqual({
    disable: null,
    require: null,
    'no-verify': null,
    'verify-ca': 'has sslmode=verify-ca, which needs sslrootcert',
    'verify-full': null,
    allow: expect.stringContaining('fall back') as string,
    prefer: expect.stringContaining('fall back') as string,
  });
});
