import { existsSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect, it } from 'vitest';
import { markdownFiles, readPage, ROOT, type Page } from './markdown-files.ts';

const pages = markdownFiles();

/** Targets of links and pictures that are not on the web. */
function linksOf({ prose }: Page): string[] {
  const text = prose.replaceAll(/`[^`\n]*`/g, '');
  const inline = [...text.matchAll(/\]\(([^()\s]+(?:\([^()\s]*\))?)(?:\s"[^"]*")?\)/g)].map(([, target]) => target!);
  const html = [...text.matchAll(/\b(?:src|srcset|href)="([^"]+)"/g)].map(([, target]) => target!);
  return [...inline, ...html].filter((target) => !/^[a-z]+:/.test(target));
}

/** Makes the anchors of headings as GitHub does. */
function anchorsOf({ prose }: Page): Set<string> {
  const found = new Map<string, number>();
  const anchors = [...prose.matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = '']) => {
    const plain = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
    const anchor = plain
      .replaceAll(/[^\p{L}\p{N}_ -]/gu, '')
      .trim()
      .replaceAll(' ', '-');
    const times = found.get(anchor) ?? 0;
    found.set(anchor, times + 1);
    return times === 0 ? anchor : `${anchor}-${times}`;
  });
  return new Set(anchors);
}

/** What is wrong with a link, or nothing. */
function problemOf(page: Page, target: string): string | null {
  const [path = '', anchor] = target.split('#');
  const file = path === '' ? page.path : relative(ROOT, join(ROOT, dirname(page.path), path));
  if (file.startsWith('..') || !existsSync(join(ROOT, file))) return `${page.path}: ${target} does not exist`;
  if (anchor === undefined) return null;
  if (!file.endsWith('.md')) return `${page.path}: ${target} has an anchor, and is no page`;
  return anchorsOf(readPage(file)).has(anchor) ? null : `${page.path}: ${target} has no such heading`;
}

it('every link between files leads to a file and, where it names a heading, to that heading', () => {
  const checked = pages.flatMap((page) => linksOf(page).map((target) => problemOf(page, target)));
  expect(checked.length).toBeGreaterThan(50);
  expect(checked.filter((problem) => problem !== null)).toEqual([]);
});

it.each([
  ['README.md', 'docs/nowhere.md', 'README.md: docs/nowhere.md does not exist'],
  ['docs/README.md', '../../outside.md', 'docs/README.md: ../../outside.md does not exist'],
  ['README.md', 'docs/README.md#no-such-heading', 'README.md: docs/README.md#no-such-heading has no such heading'],
  ['docs/README.md', 'reference/errors.md#answers-to-a-request', null],
])('a link from %s to %s: %j', (path, target, problem) => {
  expect(problemOf(readPage(path), target)).toBe(problem);
});

it('every page below docs/ can be reached from docs/README.md', () => {
  const reached = new Set(['docs/README.md']);
  for (const path of reached) {
    for (const target of linksOf(readPage(path))) {
      const file = relative(ROOT, join(ROOT, dirname(path), target.split('#')[0]!));
      if (file.endsWith('.md') && statSync(join(ROOT, file), { throwIfNoEntry: false })?.isFile()) reached.add(file);
    }
  }
  const all = pages.map(({ path }) => path).filter((path) => path.startsWith('docs/'));
  expect(all.length).toBeGreaterThan(30);
  expect(all.filter((path) => !reached.has(path))).toEqual([]);
});
