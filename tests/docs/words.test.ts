import { globSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { markdownFiles, readPage } from './markdown-files.ts';

const pages = markdownFiles();

/** Made from the code's own words. */
const GENERATED = new Set(['docs/reference/api.md', 'docs/reference/configuration.md']);

/** Entries of released versions stay as they were. */
const HISTORY = new Set(['CHANGELOG.md']);

/** Words that the glossary has a plain one for. */
const OLD_WORDS =
  /\b(?:anew|mend(?:s|ed|ing)?|in motion|(?:go|goes|going|went) on|whoever|for ever|shall|the way of the data|so many)\b/gi;

const ROOT = resolve(import.meta.dirname, '../..');

/** Names the old words itself. */
const THIS_FILE = 'tests/docs/words.test.ts';

it('the README fits on 180 lines', () => {
  expect(readPage('README.md').text.split('\n').length).toBeLessThanOrEqual(181);
});

it('no table is padded to a width', () => {
  const padded = pages.flatMap(({ path, prose }) =>
    prose
      .split('\n')
      .filter((line) => line.startsWith('|') && / {2,}\||\| {2,}\S|-{4,}/.test(line.replaceAll('|  |', '| |')))
      .map((line) => `${path}: ${line}`),
  );
  expect(padded).toEqual([]);
});

it('pages use the plain words of docs/understand/glossary.md', () => {
  const found = pages
    .filter(({ path }) => !HISTORY.has(path) && !GENERATED.has(path) && path.startsWith('docs/'))
    .flatMap(({ path, prose }) => {
      // The glossary names them, and code (a log message, an error's meaning) is proven to be the code's own.
      const own = prose.split('\n## Plain words')[0]!.replaceAll(/`[^`\n]*`/g, '');
      return (own.match(OLD_WORDS) ?? []).map((word) => `${path}: ${word}`);
    });
  expect(found).toEqual([]);
});

it('sources and tests use the plain words of docs/understand/glossary.md', () => {
  const files = globSync(['packages/{*,shared/*}/{src,test,scripts}/**/*.ts', '{scripts,tests}/**/*.ts'], {
    cwd: ROOT,
  });
  expect(files.length).toBeGreaterThan(600);
  const found = files
    // The API's types are made from its descriptions, which are in the sources.
    .filter((file) => file !== THIS_FILE && file !== 'packages/api-client/src/api-types.ts')
    .flatMap((file) => {
      // A comment breaks its lines anywhere.
      const text = readFileSync(resolve(ROOT, file), 'utf8').replaceAll(/\n\s*(?:\*|\/\/)\s+/g, ' ');
      return (text.match(OLD_WORDS) ?? []).map((word) => `${file}: ${word}`);
    });
  expect(found).toEqual([]);
});
