import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { runCommand } from '@sluice/testkit/run-command';
import { SUITES } from '../src/suites/suites.ts';

/** Servers are started, one suite after the other. */
const TIMEOUT_MS = 600_000;

const MAIN = resolve(import.meta.dirname, '../src/main.ts');

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A file's text; empty where it cannot be read, because a process has ended or there is no /proc. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** Processes that name `folder` on their command line or in their environment; none where there is no /proc. */
function processesOf(folder: string): string[] {
  const pids = existsSync('/proc') ? readdirSync('/proc').filter((name) => /^\d+$/.test(name)) : [];
  return pids
    .filter((pid) => ['cmdline', 'environ'].some((file) => textOf(`/proc/${pid}/${file}`).includes(folder)))
    .map((pid) => textOf(`/proc/${pid}/cmdline`).replaceAll('\0', ' '));
}

it.each([
  { during: 'the start', args: ['ingest', '--quick'], says: /postgres +ready/ },
  // Would take an hour.
  { during: 'a statement', args: ['query', '--quick', '--rows', '100000000'], says: /storing events/ },
])(
  'Ctrl-C during $during ends it and leaves no process and no folder',
  { timeout: TIMEOUT_MS },
  async ({ args, says }) => {
    const folder = makeFolder();
    const env = { PATH: process.env['PATH'], TMPDIR: folder, INIT_CWD: folder };
    const child = spawn(process.execPath, [MAIN, ...args], { env, stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    let seen: string[] = [];
    const ended = new Promise<number | null>((done) => child.once('close', done));
    child.stderr.on('data', (text: Buffer) => {
      const before = stderr;
      stderr += text.toString();
      if (says.test(before) || !says.test(stderr)) return;
      seen = processesOf(folder);
      child.kill('SIGINT');
    });
    expect(await ended, stderr).toBe(130);
    expect(stderr).toContain('stopping in order; Ctrl-C again to stop at once\n');
    expect(stderr).toMatch(/\nstopped\n$/);
    expect(readdirSync(folder)).toEqual([]);
    if (process.platform === 'linux') expect(seen.length).toBeGreaterThan(1);
    expect(processesOf(folder)).toEqual([]);
  },
);

it(
  'names each suite that fails, continues with the next, and leaves only the logs',
  { timeout: TIMEOUT_MS },
  async () => {
    const folder = makeFolder();
    const programs = makeFolder();
    const fake = '#!/bin/sh\ntest "$1" = --version && echo v=99.0.0\n';
    writeFileSync(join(programs, 'redis-server'), fake, { mode: 0o755 });
    const env = { PATH: `${programs}:${process.env['PATH']}`, TMPDIR: folder, INIT_CWD: folder };
    const { code, stdout, stderr } = await runCommand(MAIN, ['all', '--quick'], { cwd: folder, env });
    expect(code, stderr).toBe(1);
    expect(stdout).toBe('');
    for (const { name } of SUITES) expect(stderr).toContain(`error: ${name}: Redis ended at start`);
    const folders = [...stderr.matchAll(/^its logs are in (.+)$/gm)].map(([, path = '']) => path);
    expect(folders.toSorted()).toEqual(
      readdirSync(folder)
        .map((name) => join(folder, name))
        .toSorted(),
    );
    expect(folders).toHaveLength(SUITES.length);
    const logs = new Set(['postgres', 'postgres/postgres.log', 'redis', 'redis/redis.log']);
    for (const path of folders) expect(new Set(readdirSync(path, { recursive: true, encoding: 'utf8' }))).toEqual(logs);
  },
);

it.each([
  { args: ['--out', 'missing/figures.json'], says: /the figures cannot be written \(--out\): ENOENT/ },
  { args: ['--out', '.'], says: /the figures cannot be written \(--out\): EISDIR/ },
  { args: ['--svg', 'a-file'], says: /the charts cannot be written \(--svg\): EEXIST/ },
  { args: ['--edits', 'missing.ndjson'], says: /missing\.ndjson: there is no such file/ },
  { args: ['--edits', 'a-file'], says: /a-file holds no events/ },
])('$args is an error of use before anything is started', async ({ args, says }) => {
  const folder = makeFolder();
  writeFileSync(join(folder, 'a-file'), '');
  const env = { INIT_CWD: folder, TMPDIR: folder };
  const { code, stdout, stderr } = await runCommand(MAIN, ['ingest', '--quick', ...args], { cwd: folder, env });
  expect(code).toBe(2);
  expect(stderr).toMatch(says);
  expect(stderr).not.toMatch(/postgres +ready/);
  expect(stdout).toBe('');
  expect(readdirSync(folder)).toEqual(['a-file']);
});

it.each([
  { args: [], code: 0, says: /Usage: .* bench SUITE/ },
  { args: ['-h'], code: 0, says: /Usage: .* bench SUITE/ },
  { args: ['--quick'], code: 2, says: /which suite\?/ },
])('bench $args', async ({ args, code, says }) => {
  const result = await runCommand(MAIN, args, { cwd: tmpdir() });
  expect(result.code).toBe(code);
  expect(code === 0 ? result.stdout : result.stderr).toMatch(says);
});
