import { type ChildProcess, spawn, spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../../../..');
const LAUNCHER = join(ROOT, 'sluice');
const NODE = join(ROOT, 'node_modules/node-runtime/bin/node');
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'sluice launcher ')));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A PATH with nothing on it that could fetch or start anything: no npx, no pnpm, no node. */
const BARE_PATH = makeFolder('bare path');
symlinkSync(programOf('readlink'), join(BARE_PATH, 'readlink'));

const run = (
  file: string,
  args: readonly string[] = [],
  { cwd = folder, env = {} }: { cwd?: string; env?: Record<string, string> } = {},
): SpawnSyncReturns<string> =>
  spawnSync(file, args, { cwd, env: { PATH: BARE_PATH, ...env }, encoding: 'utf8', timeout: 60_000 });

/** A checkout with the launcher, the real Node, and another command line that says how it was started. */
function makeCheckout(name: string, main: string): string {
  const root = makeFolder(name);
  mkdirSync(join(root, 'node_modules'));
  symlinkSync(join(ROOT, 'node_modules/node-runtime'), join(root, 'node_modules/node-runtime'));
  mkdirSync(join(root, 'packages/cli/src'), { recursive: true });
  mkdirSync(join(root, 'packages/cli/node_modules'));
  writeFileSync(join(root, 'packages/cli/src/main.ts'), main);
  copyFileSync(LAUNCHER, join(root, 'sluice'));
  return root;
}

function makeFolder(name: string): string {
  const path = join(folder, name);
  mkdirSync(path, { recursive: true });
  return path;
}

function programOf(name: string): string {
  const found = (process.env['PATH'] ?? '').split(':').map((each) => join(each, name));
  return found.find((each) => existsSync(each))!;
}

/** Starts one of those, and answers what it says. */
function start(file: string, args?: readonly string[], cwd = folder): unknown {
  const { status, stdout, stderr } = run(file, args, { cwd });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return JSON.parse(stdout);
}

/** How long a command takes, in milliseconds. */
function timed(file: string, args: readonly string[]): number {
  const begin = performance.now();
  const { status } = run(file, args);
  const took = performance.now() - begin;
  expect(status).toBe(0);
  return took;
}

const SAYS_HOW = `
const how: object = { args: process.argv.slice(2), cwd: process.cwd(), node: process.execPath };
console.log(JSON.stringify(how));
`;

describe('starts the command line', () => {
  const checkout = makeCheckout('a checkout', SAYS_HOW);
  it("with the project's own Node, and nothing from PATH but readlink", () => {
    expect(start(join(checkout, 'sluice'))).toMatchObject({ node: realpathSync(NODE) });
    const real = run(LAUNCHER, ['--version']);
    expect(real.stderr).toBe('');
    expect(real.stdout.trim()).toBe(
      (JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }).version,
    );
  });

  it('from any folder, which stays the working directory', () => {
    const elsewhere = makeFolder('else where');
    expect(start(join(checkout, 'sluice'), [], elsewhere)).toMatchObject({ cwd: elsewhere });
    expect(start('./sluice', [], checkout)).toMatchObject({ cwd: checkout });
    expect(start('../sluice', [], makeFolder('a checkout/docs'))).toMatchObject({ cwd: join(checkout, 'docs') });
  });

  it('with arguments as they were typed', () => {
    const args = ['two words', '', '*', '$HOME', '"quoted"', "it's", '-x=1 2', 'line\nbreak', '\\'];
    expect(start(join(checkout, 'sluice'), args)).toMatchObject({ args });
  });

  it('through a symlink, and through a chain of relative ones', () => {
    const bin = makeFolder('home/bin');
    symlinkSync(join(checkout, 'sluice'), join(bin, 'absolute'));
    expect(start(join(bin, 'absolute'))).toMatchObject({ args: [] });

    const opt = makeFolder('opt/sluice');
    symlinkSync(relative(opt, join(checkout, 'sluice')), join(opt, 'current'));
    symlinkSync('../../opt/sluice/current', join(bin, 'second'));
    symlinkSync('second', join(bin, 'third'));
    expect(start(join(bin, 'third'))).toMatchObject({ args: [] });
    expect(start('./third', [], bin)).toMatchObject({ cwd: bin });
  });

  it('through a symlink in a folder that is a symlink itself, where .. is that of the folder behind it', () => {
    const deep = makeFolder('deep/in/side');
    symlinkSync(join(folder, 'deep/in/side'), join(folder, 'shortcut'));
    symlinkSync(relative(deep, join(checkout, 'sluice')), join(deep, 'linked'));
    expect(start(join(folder, 'shortcut/linked'))).toMatchObject({ args: [] });
  });

  it('found on PATH', () => {
    const found = run('/bin/sh', ['-c', 'sluice on path'], { env: { PATH: `${checkout}:${BARE_PATH}` } });
    expect(JSON.parse(found.stdout)).toMatchObject({ args: ['on', 'path'] });
  });

  it('whatever .env lies in the folder of the caller', () => {
    const foreign = makeFolder('foreign project');
    writeFileSync(join(foreign, '.env'), 'QUERY_URL=http://foreign.example\nAPI_KEY=not-ours\n');
    const { stdout, status } = run(LAUNCHER, ['--help'], { cwd: foreign });
    expect(status).toBe(0);
    expect(stdout).toContain('the query API (default: ');
    expect(stdout).not.toContain('foreign.example');
  });
});

describe('is replaced by what it starts', () => {
  it.each([0, 1, 3, 42])('ends with its exit code %i', (code) => {
    const checkout = makeCheckout(`exits ${code}`, `process.exitCode = ${code};`);
    expect(run(join(checkout, 'sluice')).status).toBe(code);
  });

  it('passes signals on, and ends by them', async () => {
    const waits = makeCheckout('waits', 'console.log(process.pid); setInterval(() => {}, 1e6);');
    const plain = spawn(join(waits, 'sluice'), { env: { PATH: BARE_PATH } });
    // The same process: a shell in between would have another id and could keep the signal for itself.
    expect(Number(await firstOutput(plain))).toBe(plain.pid);
    plain.kill('SIGINT');
    expect(await once(plain, 'close')).toEqual([null, 'SIGINT']);

    const handles = makeCheckout(
      'handles',
      "process.once('SIGTERM', () => process.exit(7)); console.log('ready'); setInterval(() => {}, 1e6);",
    );
    const handling = spawn(join(handles, 'sluice'), { env: { PATH: BARE_PATH } });
    await firstOutput(handling);
    handling.kill('SIGTERM');
    expect(await once(handling, 'close')).toEqual([7, null]);
  });
});

describe('with nothing installed', () => {
  it.each([
    ['nothing at all', []],
    ['Node only', ['node_modules/node-runtime/bin/node']],
    ['packages only', ['packages/cli/node_modules/.modules']],
  ] as [string, string[]][])('%s: prints the one command to type, and ends with 2', (name, files) => {
    const root = makeFolder(`empty ${name}`);
    copyFileSync(LAUNCHER, join(root, 'sluice'));
    for (const file of files) {
      mkdirSync(dirname(join(root, file)), { recursive: true });
      writeFileSync(join(root, file), '#!/bin/sh\nexit 0\n', { mode: 0o755 });
    }
    const { status, stdout, stderr } = run(join(root, 'sluice'), ['status']);
    expect(stderr).toBe(`Sluice is not installed yet. Type this in ${root}:\n\n  npx -y pnpm@12 install\n\n`);
    expect(stdout).toBe('');
    expect(status).toBe(2);
  });
});

it('takes at most four times as long as Node itself', () => {
  // The first run compiles.
  timed(LAUNCHER, ['--help']);
  const node: number[] = [];
  const sluice: number[] = [];
  // One after the other, so that what else this machine does slows both down alike.
  for (let round = 0; round < 15; round += 1) {
    node.push(timed(NODE, ['-e', '0']));
    sluice.push(timed(LAUNCHER, ['--help']));
  }
  const times = `sluice --help ${median(sluice).toFixed(0)} ms, node -e 0 ${median(node).toFixed(0)} ms`;
  expect(median(sluice) / median(node), times).toBeLessThanOrEqual(4);
});

it('sluice.cmd starts the same files, and names the same command', () => {
  const windows = readFileSync(join(ROOT, 'sluice.cmd'), 'utf8');
  const posix = readFileSync(LAUNCHER, 'utf8');
  for (const path of ['node_modules/node-runtime/bin/node', 'packages/cli/src/main.ts', 'packages/cli/node_modules']) {
    expect(posix).toContain(path);
    expect(windows).toContain(path.replaceAll('/', '\\'));
  }
  for (const text of [posix, windows]) expect(text).toContain('  npx -y pnpm@12 install');
});

async function firstOutput({ stdout }: ChildProcess): Promise<string> {
  const [bytes] = (await once(stdout!, 'data')) as [Buffer];
  return bytes.toString();
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}
