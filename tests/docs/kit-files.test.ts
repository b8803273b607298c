import { accessSync, constants, existsSync, globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DAEMONS } from '@sluice/local-stack/daemons';

const ROOT = resolve(import.meta.dirname, '../..');
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
const manifest = JSON.parse(read('package.json')) as { version: string; scripts: Record<string, string> };

/** Editors accept comments in these files; JSON.parse does not. */
const readJson = (file: string): unknown => JSON.parse(read(file).replaceAll(/^\s*\/\/.*$/gm, ''));

const EDITOR_FILES = globSync('{.vscode,.devcontainer}/*.json', { cwd: ROOT });
const KIT = [
  ...EDITOR_FILES,
  ...globSync('.github/**/*.{yaml,yml,md}', { cwd: ROOT }),
  'CONTRIBUTING.md',
  'SECURITY.md',
];
/** Commands of pnpm itself. */
const PNPM = new Set(['install', 'exec', 'audit']);

describe('files for editors', () => {
  it.each(EDITOR_FILES)('%s is JSON, and every path in it exists', (file) => {
    expect(readJson(file)).toBeTypeOf('object');
    const paths = [...read(file).matchAll(/\$\{workspaceFolder\}\/([^"$]+)/g)].map(([, path]) => path!);
    for (const path of paths) expect(existsSync(join(ROOT, path)), path).toBe(true);
  });

  it('each daemon can be launched, and one test file', () => {
    const { configurations } = readJson('.vscode/launch.json') as {
      configurations: { name: string; program: string; args: string[] }[];
    };
    const launched = configurations.filter(({ program }) => program.endsWith('/dev.ts')).map(({ args }) => args[0]!);
    expect(launched.toSorted()).toEqual([...DAEMONS].toSorted());
    expect(configurations.find(({ program }) => program.endsWith('/vitest.mjs'))?.args).toContain('${relativeFile}');
  });

  it('the editor ends lines where the formatter does', () => {
    const { printWidth } = JSON.parse(read('.oxfmtrc.json')) as { printWidth: number };
    expect(read('.editorconfig')).toContain(`max_line_length = ${printWidth}`);
  });
});

it.each(KIT)('%s names only scripts that exist', (file) => {
  const named = [...read(file).matchAll(/\bpnpm@12 (?:-\S+ )*([\w:-]+)/g)].map(([, script]) => script!);
  for (const script of named) expect(PNPM.has(script) || script in manifest.scripts, script).toBe(true);
});

it('the workflow runs .ci/run, which is executable', () => {
  expect(read('.github/workflows/ci.yaml')).toMatch(/^ +- run: \.ci\/run$/m);
  accessSync(join(ROOT, '.ci/run'), constants.X_OK);
});

it('all packages have one version, and the changelog begins with it', () => {
  const manifests = globSync('packages/{*,shared/*}/package.json', { cwd: ROOT });
  expect(manifests.length).toBeGreaterThan(10);
  for (const file of manifests)
    expect((JSON.parse(read(file)) as { version: string }).version, file).toBe(manifest.version);
  const [, version, state] = /^## (\S+) - (.+)$/m.exec(read('CHANGELOG.md'))!;
  expect(`${version}${state === 'in progress' ? '-dev' : ''}`).toBe(manifest.version);
});
