import { globSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');
const TEXTS = ['*.md', '{docs,deploy,examples,tests,.github}/**/*.{md,sh,yaml,yml}', 'deploy/*', 'packages/**/*.md'];
const CODE = ['packages/*/{src,scripts}/**/*.ts', 'scripts/**/*.ts'];

/** Where a line of a text or of the code's messages matches, as `file:line: the line`. */
function linesWith(pattern: RegExp): string[] {
  const files = globSync([...TEXTS, ...CODE], { cwd: ROOT, exclude: (path) => path.includes('node_modules') });
  expect(files).toEqual(expect.arrayContaining(['README.md', 'packages/cli/src/main.ts']));
  return files
    .filter((file) => /\.\w+$/.test(file))
    .flatMap((file) =>
      readFileSync(resolve(ROOT, file), 'utf8')
        .split('\n')
        .map((line, at) => `${file}:${at + 1}: ${line.trim()}`),
    )
    .filter((line) => pattern.test(line));
}

it('the command line is ./sluice everywhere, and not a script of pnpm', () => {
  expect(linesWith(/\bpnpm(?:@\d+)?(?: --?\S+)* (?:run )?sluice\b/)).toEqual([]);
});

it('npx is typed with -y: without it, npx asks before it installs', () => {
  expect(linesWith(/\bnpx (?!-y )(?=.*\bpnpm@)/)).toEqual([]);
});
