import { expect, it } from 'vitest';
import { markdownFiles, readPage } from './markdown-files.ts';

const pages = markdownFiles();

/** Made from the code's own words. */
const GENERATED = new Set(['docs/reference/api.md', 'docs/reference/configuration.md']);

/** Entries of released versions stay as they were. */
const HISTORY = new Set(['CHANGELOG.md']);

/** Words that the glossary has a plain one for. */
const OLD_WORDS =
  /\b(?:anew|mend(?:s|ed|ing)?|in motion|goes on|go on|whoever|for ever|shall|the way of the data|so many events)\b/gi;

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
