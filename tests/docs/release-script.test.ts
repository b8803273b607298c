import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { type CommandResult, runCommand } from '@sluice/testkit/run-command';

const SCRIPT = resolve(import.meta.dirname, '../../scripts/release.ts');
const ENV = {
  PATH: process.env['PATH']!,
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_AUTHOR_NAME: 'Test',
  GIT_AUTHOR_EMAIL: 'test@example.com',
  GIT_COMMITTER_NAME: 'Test',
  GIT_COMMITTER_EMAIL: 'test@example.com',
};
const MANIFESTS = ['package.json', 'packages/ingest-api/package.json', 'packages/shared/events/package.json'];
const CHANGELOG =
  '# Changelog\n\nAll notable changes.\n\n## 0.2.0 - in progress\n\n### Added\n\n- This.\n\n## 0.1.0 - 2026-11-21\n\n- That.\n';

let root: string;
const git = (...args: string[]): string => execFileSync('git', args, { cwd: root, env: ENV, encoding: 'utf8' }).trim();
const release = (...args: string[]): Promise<CommandResult> => runCommand(SCRIPT, args, { cwd: root, env: ENV });
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const versions = (): string[] => MANIFESTS.map((file) => (JSON.parse(read(file)) as { version: string }).version);

function write(file: string, text: string): void {
  mkdirSync(dirname(join(root, file)), { recursive: true });
  writeFileSync(join(root, file), text);
}

function commit(): void {
  git('add', '--all');
  git('commit', '--quiet', '--message', 'A change');
}

// A repository of the test's own, with three packages that are ready to be released.
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sluice-release-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  git('init', '--quiet', '--initial-branch', 'main');
  for (const file of MANIFESTS) write(file, '{\n  "name": "x",\n  "version": "0.2.0-dev",\n  "private": true\n}\n');
  write('CHANGELOG.md', CHANGELOG);
  commit();
});

it('sets the version everywhere, dates the changelog, commits and tags', async () => {
  const today = new Date().toISOString().slice(0, 10);
  const result = await release('0.2.0');
  expect(result).toMatchObject({ code: 0, stderr: '' });
  expect(result.stdout).toContain('git push origin HEAD v0.2.0');
  expect(versions()).toEqual(['0.2.0', '0.2.0', '0.2.0']);
  expect(read('package.json')).toBe('{\n  "name": "x",\n  "version": "0.2.0",\n  "private": true\n}\n');
  expect(read('CHANGELOG.md')).toBe(CHANGELOG.replace('## 0.2.0 - in progress', `## 0.2.0 - ${today}`));
  expect(git('status', '--porcelain')).toBe('');
  expect(git('log', '-1', '--format=%s')).toBe('Release 0.2.0');
  expect(git('cat-file', '-t', 'v0.2.0')).toBe('tag');
  expect(git('rev-parse', 'v0.2.0^{commit}')).toBe(git('rev-parse', 'HEAD'));
});

it('only says so with --dry-run', async () => {
  const before = git('rev-parse', 'HEAD');
  const result = await release('0.2.0', '--dry-run');
  expect(result.code).toBe(0);
  expect(result.stdout).toMatch(/3 package.json: 0\.2\.0\n[\s\S]*tag: v0\.2\.0\n[\s\S]*Nothing was changed/);
  expect([git('rev-parse', 'HEAD'), git('status', '--porcelain'), git('tag')]).toEqual([before, '', '']);
});

it('begins the next version after a release', async () => {
  await release('0.2.0');
  expect(await release('--begin', '0.3.0')).toMatchObject({ code: 0, stderr: '' });
  expect(versions()).toEqual(['0.3.0-dev', '0.3.0-dev', '0.3.0-dev']);
  expect(read('CHANGELOG.md')).toMatch(/changes\.\n\n## 0\.3\.0 - in progress\n\n## 0\.2\.0 - \d{4}-/);
  expect(git('log', '-1', '--format=%s')).toBe('Begin 0.3.0');
  expect((await release('0.3.0')).stderr).toContain('the top entry of CHANGELOG.md lists nothing');
});

it.each([
  ['a change that is not committed', () => write('new.txt', 'x'), /the working tree is not clean:\n +\?\? new\.txt/],
  [
    'a package with another version',
    () => {
      write(MANIFESTS[1]!, '{ "version": "0.1.0" }');
      commit();
    },
    /packages\/ingest-api\/package\.json says 0\.1\.0, not 0\.2\.0-dev/,
  ],
  [
    'a changelog without an entry for it',
    () => {
      write('CHANGELOG.md', CHANGELOG.replace('0.2.0', '0.9.0'));
      commit();
    },
    /the top entry of CHANGELOG\.md is "## 0\.9\.0 - in progress", not "## 0\.2\.0 - in progress"/,
  ],
  [
    'an entry that lists nothing',
    () => {
      write('CHANGELOG.md', CHANGELOG.replace('- This.', ''));
      commit();
    },
    /lists nothing/,
  ],
  ['a tag that is there already', () => git('tag', 'v0.2.0'), /the tag v0\.2\.0 is there already/],
] as [string, () => void, RegExp][])('refuses %s, and changes nothing', async (_what, change, message) => {
  change();
  const before = [git('rev-parse', 'HEAD'), git('status', '--porcelain'), git('tag')];
  const { code, stderr } = await release('0.2.0');
  expect(stderr).toMatch(message);
  expect(code).toBe(1);
  expect([git('rev-parse', 'HEAD'), git('status', '--porcelain'), git('tag')]).toEqual(before);
});

it('does not begin a version while another is in progress', async () => {
  const { code, stderr } = await release('--begin', '0.3.0');
  expect(stderr).toMatch(/package\.json says 0\.2\.0-dev: that one is not released[\s\S]*"## 0\.2\.0 - in progress"/);
  expect(code).toBe(1);
});

it.each([[[]], [['0.2']], [['v0.2.0']], [['0.2.0', '0.3.0']], [['0.2.0', '--force']]])(
  'release %j ends with 2 and points to the help',
  async (args) => {
    const { code, stderr } = await release(...args);
    expect(stderr).toContain('See: npx -y pnpm@12 release --help');
    expect(code).toBe(2);
  },
);
