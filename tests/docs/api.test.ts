import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { API_ERRORS } from '@sluice/errors/api-errors';
import { API_PAGE, makeApiPage } from '../../scripts/make-api-reference.ts';
import { readApiDocuments } from '../../scripts/read-api-documents.ts';

const page = readFileSync(API_PAGE, 'utf8');

it('docs/reference/api.md is what the routes make (pnpm reference)', async () => {
  expect(page).toBe(await makeApiPage());
});

it('the page has every operation of both APIs', async () => {
  const documents = await readApiDocuments();
  const operations = documents.flatMap(({ paths }) =>
    Object.entries(paths).flatMap(([path, methods]) => Object.keys(methods).map((method) => [method, path])),
  );
  expect(operations.length).toBeGreaterThan(50);
  for (const [method, path] of operations) expect(page).toContain(`#### \`${method!.toUpperCase()} ${path}\`\n`);
});

it('the page names only errors that there are', () => {
  const named = [...page.matchAll(/^Errors: (.*)$/gm)].flatMap(([, list = '']) => list.match(/`[a-z_]+`/g) ?? []);
  expect(named.length).toBeGreaterThan(100);
  expect([...new Set(named)].filter((code) => !Object.hasOwn(API_ERRORS, code.slice(1, -1)))).toEqual([]);
});
