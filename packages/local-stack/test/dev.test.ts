import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { cp, symlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { readRunningStack } from '../src/stack-file.ts';
import { startStack } from '../src/stack.ts';
import { temporaryFolder } from './fixtures/temporary-folder.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
/** For a machine that hangs, not a slow one. */
const PATIENCE = { timeout: 45_000, interval: 50 };

interface Dev {
  readonly child: ChildProcess;
  /** Everything that it and its daemon have written. */
  output: () => string;
  /** Resolves to its exit code when it has ended. */
  readonly ended: Promise<number | null>;
}

/** Runs `dev` of a checkout, and ends it before the test's folders are removed. */
function dev(checkout: string, args: readonly string[], env: Record<string, string>): Dev {
  const child = spawn(process.execPath, [join(checkout, 'packages/local-stack/src/dev.ts'), ...args], {
    cwd: checkout,
    env: { PATH: process.env['PATH'], ...env },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes: Buffer) => (output += bytes.toString()));
  const ended = once(child, 'close').then(([code]) => code as number | null);
  onTestFinished(async () => {
    child.kill('SIGTERM');
    await ended;
  });
  return { child, output: () => output, ended };
}

/** Copies the packages, so that a test may change them; `node_modules` is a link. */
async function copyCheckout(): Promise<string> {
  const copy = await temporaryFolder();
  for (const name of ['packages', 'package.json']) {
    await cp(join(ROOT, name), join(copy, name), { recursive: true, verbatimSymlinks: true });
  }
  await symlink(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

async function versionAt(url: string): Promise<string> {
  const answer = await fetch(`${url}/health`);
  return ((await answer.json()) as { version: string }).version;
}

it("runs a daemon on the stack's servers beside the stack's own, again after each change, and stops only that daemon", async () => {
  const dataDir = await temporaryFolder();
  const env = { PATH: process.env['PATH'], QUERY_PORT: '0' };
  const stack = await startStack({ dataDir, env, daemons: ['query-api'], report: () => {} });
  onTestFinished(() => stack.stop('forced'));
  const own = stack.daemons['query-api']!.url;
  const checkout = await copyCheckout();

  const { port } = new URL(own);
  const { child, output, ended } = dev(checkout, ['query-api'], { SLUICE_DATA_DIR: dataDir, QUERY_PORT: port });
  const url = await vi.waitFor(() => {
    expect(output()).toContain(", beside the stack's own query-api");
    return /on (http:\S+),/.exec(output())![1]!;
  }, PATIENCE);
  expect(url).not.toBe(own);
  const version = await versionAt(own);
  await vi.waitFor(async () => expect(await versionAt(url)).toBe(version), PATIENCE);
  expect(await (await fetch(`${url}/health`)).json()).toMatchObject({
    checks: { redis: 'ok' },
    // Reached as well: nothing has made the tables of this stack.
    details: { postgres: { error: expect.stringMatching(/has no tables of Sluice/) as string } },
  });

  // A file of another package, which the daemon loads.
  const [edited] = globSync('packages/{*,shared/*}/src/**/version.ts', { cwd: checkout });
  const source = readFileSync(join(checkout, edited!), 'utf8');
  writeFileSync(join(checkout, edited!), source.replace('= manifest.version', '= `${manifest.version}, edited`'));
  await vi.waitFor(async () => expect(await versionAt(url)).toBe(`${version}, edited`), PATIENCE);
  expect(await versionAt(own)).toBe(version);

  child.kill('SIGINT');
  expect(await ended).toBe(0);
  expect(output()).toContain('"stopped"');
  expect(output()).not.toContain('cut short');
  await expect(versionAt(url)).rejects.toThrow('fetch failed');
  expect(await versionAt(own)).toBe(version);

  await stack.stop();
  expect(await readRunningStack(dataDir)).toBeNull();
  // Three starts of a daemon, beside those of Postgres and Redis.
}, 180_000);

it.each([
  [['query-api'], 1, /no stack is running on .*npx -y pnpm@12 start/s],
  [[], 2, /Name one daemon: writer-worker, /],
  [['query-api', 'ingest-api'], 2, /Name one daemon: /],
  [['frobnicate'], 2, /Name one daemon: /],
  [['query-api', '--port', '70000'], 2, /--port must be a port number/],
] as [string[], number, RegExp][])('dev %j ends with %i and says what to do', async (args, code, message) => {
  const { output, ended } = dev(ROOT, args, { SLUICE_DATA_DIR: await temporaryFolder() });
  expect(await ended).toBe(code);
  expect(output()).toMatch(message);
});
