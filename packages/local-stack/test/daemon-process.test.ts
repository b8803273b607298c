import { readFile } from 'node:fs/promises';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Exit } from '../src/child-exit.ts';
import { startDaemon } from '../src/daemon-process.ts';
import type { DaemonHandle } from '../src/daemon-process.ts';
import { stopOrphanedDaemon } from '../src/launch-daemon.ts';
import type { RunningDaemon } from '../src/launch-daemon.ts';
import { startTimeOf } from '../src/process-info.ts';
import { fixtureDaemon } from './fixtures/fixture-daemon.ts';
import { leaveBehind } from './fixtures/killed-supervisor.ts';
import { temporaryFolder } from './fixtures/temporary-folder.ts';

async function start(env: Record<string, string> = {}) {
  const dataDir = await temporaryFolder();
  const lines: string[] = [];
  const daemon: DaemonHandle = await startDaemon(fixtureDaemon({ dataDir, env, report: (line) => lines.push(line) }));
  onTestFinished(() => daemon.stop('forced'));
  const log = () => readFile(join(dataDir, 'logs', 'fixture.log'), 'utf8');
  return { daemon, lines, log };
}

test('is ready when it says so, logs to its file and shows only warnings', async () => {
  const { daemon, lines, log } = await start();
  expect(await (await fetch(daemon.url)).text()).toBe('ok');
  await daemon.stop();
  expect(await log()).toContain('"msg":"serving"');
  expect(lines).toEqual(['fixture             warn   low on widgets']);
});

test('has the niceness that it is given', async () => {
  const dataDir = await temporaryFolder();
  const daemon = await startDaemon({ ...fixtureDaemon({ dataDir, report: () => {} }), niceness: 7 });
  onTestFinished(() => daemon.stop('forced'));
  expect(getPriority(daemon.pid)).toBe(7);
});

test('is stopped in order by SIGTERM and does not come back', async () => {
  const { daemon, lines, log } = await start();
  const exits: Exit[] = [];
  daemon.onExit((exit) => exits.push(exit));
  await Promise.all([daemon.stop(), daemon.stop()]);
  expect(exits).toEqual([{ code: 0, signal: null }]);
  expect(daemon.pid).toBeUndefined();
  expect(await log()).toContain('stopped in order');
  expect(lines.join()).not.toContain('starting again');
});

test('comes back when it dies, and says so', async () => {
  const { daemon, lines } = await start();
  const firstPid = daemon.pid;
  const returned = new Promise<RunningDaemon>((resolve) => daemon.onReturn(resolve));
  daemon.kill('SIGKILL');
  const run = await returned;
  expect(run.pid).not.toBe(firstPid);
  expect(daemon.pid).toBe(run.pid);
  expect(await (await fetch(daemon.url)).text()).toBe('ok');
  expect(lines).toContain('fixture             ended (SIGKILL), starting again in 0.5 s');
  expect(lines).toContainEqual(expect.stringMatching(/^fixture {13}ready again after \d+\.\d s$/));
});

test('is killed when it does not stop within its deadline', async () => {
  const { daemon, lines } = await start({
    FIXTURE_IGNORES_SIGTERM: '1',
    SHUTDOWN_TIMEOUT_MS: '-1500',
  });
  const exits: Exit[] = [];
  daemon.onExit((exit) => exits.push(exit));
  await daemon.stop();
  expect(exits).toEqual([{ code: null, signal: 'SIGKILL' }]);
  expect(lines).toContain('fixture             did not stop within 0.5 s and was killed');
});

test("fails the start with the daemon's own list of mistakes when its configuration is wrong", async () => {
  await expect(start({ FIXTURE_CONFIG_ERROR: '1' })).rejects.toThrow(
    'fixture does not start with this configuration:\nINGEST_PORT must be a number\nAPI_KEY is too short',
  );
});

test('fails the start with what the daemon said when it ends before it is ready', async () => {
  await expect(start({ FIXTURE_CRASH_AT_START: '1' })).rejects.toThrow(
    /fixture ended before it was ready \(exit code 1\), see .*fixture\.log[^]*cannot find the widget/,
  );
});

test('an abandoned start leaves no process running', async () => {
  const giveUp = new AbortController();
  const starting = startDaemon(fixtureDaemon({ dataDir: await temporaryFolder(), report: () => {} }), giveUp.signal);
  giveUp.abort(new Error('given up'));
  await expect(starting).rejects.toThrow('given up');
});

test('one that a killed supervisor left running stops by itself, and the next start waits for that', async () => {
  const dataDir = await temporaryFolder();
  const left = await leaveBehind('daemon', dataDir);
  const { pidFile, main } = fixtureDaemon({ dataDir, report: () => {} });
  await stopOrphanedDaemon({ pidFile, main });
  expect(await readFile(join(dataDir, 'logs', 'fixture.log'), 'utf8')).toContain('stopped in order');
  // A process that ends loses its command line, for which the start waited, a moment before the rest.
  await expect.poll(() => startTimeOf(left.pid)).toBeUndefined();
});
