import { globSync } from 'node:fs';
import { expect, it } from 'vitest';
import { markdownFiles, ROOT, type Page } from './markdown-files.ts';

/** Folders of the root whose files documents name. */
const FOLDERS = /^(?:packages|tests|deploy|docs|scripts|examples|\.ci|\.github|\.vscode|\.devcontainer)\/./;

/** Files that every daemon has, so that a page may name them without a folder. */
const IN_EVERY_DAEMON = new Set(['main.ts', 'tracing.ts', 'config.ts']);

/** Paths that the reader or a run makes; git ignores them. */
const MADE_LATER = new Set(['deploy/.env']);

/** Entries of released versions name the paths of their time. */
const HISTORY = new Set(['CHANGELOG.md']);

/** Finds everything that looks like a path of the repository, in code and in blocks. */
function pathsIn({ prose, blocks }: Pick<Page, 'prose' | 'blocks'>): string[] {
  const spans = [...prose.matchAll(/`([^`\n]+)`/g)].map(([, code]) => code!);
  return [...spans, ...blocks.map(({ code }) => code)]
    .flatMap((code) => code.split(/[\s"'();=]+/))
    .map((word) =>
      word
        .replace(/^\.\//, '')
        .replace(/[,.:…]+$/, '')
        .replace(/:\d+(?:-\d+)?$/, ''),
    )
    .filter((word) => FOLDERS.test(word) && !MADE_LATER.has(word));
}

/** Whether a file or folder exists; `<name>` and `*` match anything, `{a,b}` each of its parts. */
function exists(path: string): boolean {
  const [, before, choices, after] = /^([^{]*)\{([^}]*)\}(.*)$/.exec(path) ?? [];
  if (choices !== undefined) return choices.split(',').every((choice) => exists(`${before}${choice}${after}`));
  return globSync(path.replaceAll(/<[^>]*>/g, '*').split('#')[0]!, { cwd: ROOT }).length > 0;
}

it('every path that a page names exists', () => {
  const named = markdownFiles()
    .filter(({ path }) => !HISTORY.has(path))
    .flatMap((page) => pathsIn(page).map((path) => ({ page: page.path, path })));
  expect(named.length).toBeGreaterThan(50);
  expect(named.filter(({ path }) => !exists(path))).toEqual([]);
});

/** Whether a page may name a file this way: from the root, or in a package's README from its `src/` on. */
function isThere({ path, name }: { path: string; name: string }): boolean {
  const [, home] = /^(packages\/.+)\/README\.md$/.exec(path) ?? [];
  if (home === undefined) return name.includes('/') || IN_EVERY_DAEMON.has(name);
  // From the root, also as a command.
  return FOLDERS.test(name) || exists(name) || exists(`${home}/src/${name}`);
}

it('a source file is named by its whole path, or in the README of its package from `src/` on', () => {
  const named = markdownFiles().flatMap(({ path, prose }) =>
    [...prose.matchAll(/`([\w.-]+\.ts|[\w./-]+\/[\w.-]*)`/g)].map(([, name]) => ({ path, name: name! })),
  );
  expect(named.filter((each) => !isThere(each))).toEqual([]);
});

it.each([
  ['see `packages/nowhere/src/a.ts`', 'packages/nowhere/src/a.ts', false],
  ['see `packages/{shared,nowhere}/src`', 'packages/{shared,nowhere}/src', false],
  ['see `packages/{shared,cli}/package.json`.', 'packages/{shared,cli}/package.json', true],
  ['see `packages/<name>/package.json`', 'packages/<name>/package.json', true],
  ['run `node scripts/check-boundaries.ts --help`', 'scripts/check-boundaries.ts', true],
])('in %j the path %s is found, and exists: %j', (prose, path, found) => {
  expect(pathsIn({ prose, blocks: [] })).toEqual([path]);
  expect(exists(path)).toBe(found);
});
