import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { withTimeout } from '@sluice/daemon/retry/with-timeout';
import { describeExit, endsWithin, exitOf } from './child-exit.ts';
import type { Exit } from './child-exit.ts';
import { REPOSITORY } from './config.ts';
import { openDaemonLog } from './daemon-log.ts';
import { setNiceness } from './niceness.ts';
import { progressLine } from './progress-line.ts';
import { stopOrphan } from './stop-orphan.ts';

/** sysexits.h: the configuration is wrong. A restart would only repeat it. */
const EX_CONFIG = 78;
/** What has to be loaded before a daemon's main.ts, so that it can be traced. */
export const TRACING = join(REPOSITORY, 'packages/daemon/src/tracing.ts');
/** For a daemon that hangs: one with niceness 10 takes two minutes for its start on two cores at a load of 12. */
const READY_WITHIN_MS = 300_000;
/** What a daemon gets on top of its own deadline before it is killed. */
const STOP_MARGIN_MS = 2_000;
const DEFAULT_SHUTDOWN_TIMEOUT_MS = 10_000;

export interface DaemonOptions {
  name: string;
  /** Absolute path of the daemon's main.ts. */
  main: string;
  cwd: string;
  /** All of its environment; its SHUTDOWN_TIMEOUT_MS (10 s if not set) is how long an ordered stop may take. */
  env: NodeJS.ProcessEnv;
  /** Appended to. */
  logFile: string;
  /** Written while it runs, so that the next start finds it if this process is killed. */
  pidFile: string;
  /** Called with one line for each warning in its log. */
  report: (line: string) => void;
  /** As `nice` has it, 0 if not set; see NICENESS. */
  niceness?: number;
}

/** One run of a daemon, from ready to its end. */
export interface RunningDaemon {
  url: string;
  pid: number;
  /** `ordered` (default) is a SIGTERM, then a SIGKILL past its deadline; `forced` a SIGKILL. Resolves when it is gone. */
  stop(mode?: 'ordered' | 'forced'): Promise<void>;
  kill(signal: NodeJS.Signals): void;
  exited: Promise<Exit>;
}

/** The daemon's configuration is wrong; the message contains its list of mistakes. */
export class DaemonConfigError extends Error {}

/** The daemon's message on its IPC channel once it serves. */
interface ReadyMessage {
  type: 'ready';
  url: string;
}

/**
 * Starts a daemon once and resolves when it reports ready. It has its own process group, so that a terminal's Ctrl-C
 * reaches it through us and in the right order. When we are killed, its IPC channel closes and it stops by itself.
 * Throws DaemonConfigError, or an Error with the end of its stderr, when it ends before it is ready. When `signal`
 * aborts, it is stopped in order first.
 */
export async function launchDaemon(options: DaemonOptions, signal?: AbortSignal): Promise<RunningDaemon> {
  const { name, main, cwd, env, logFile, pidFile, report } = options;
  signal?.throwIfAborted();
  const log = openDaemonLog({ file: logFile, show: (line) => report(progressLine(name, line)) });
  // process.execPath and not `node`: the `node` on PATH may be a wrapper that does not pass signals on.
  const child = spawn(process.execPath, ['--import', TRACING, main], {
    cwd,
    env,
    detached: true,
    stdio: ['ignore', log.descriptor, log.descriptor, 'ipc'],
  });
  closeSync(log.descriptor);
  const exited = exitOf(child);
  if (child.pid) {
    setNiceness(child.pid, options.niceness ?? 0);
    mkdirSync(dirname(pidFile), { recursive: true });
    writeFileSync(pidFile, String(child.pid));
  }
  const said = exited.then(() => {
    rmSync(pidFile, { force: true });
    return log.finish();
  });

  said.catch(() => {});

  const deadlineMs = (Number(env['SHUTDOWN_TIMEOUT_MS']) || DEFAULT_SHUTDOWN_TIMEOUT_MS) + STOP_MARGIN_MS;
  let asked = false;
  const stop = async (mode: 'ordered' | 'forced' = 'ordered'): Promise<void> => {
    // A second SIGTERM would end a daemon that is draining, or one that has removed its handlers already.
    if (mode === 'forced') child.kill('SIGKILL');
    else if (!asked) child.kill('SIGTERM');
    asked = true;
    if (!(await endsWithin(exited, deadlineMs))) {
      report(progressLine(name, `did not stop within ${deadlineMs / 1000} s and was killed`));
      child.kill('SIGKILL');
    }
    await said;
  };

  const ready = new Promise<ReadyMessage>((resolve) => {
    child.on('message', (message) => {
      if ((message as Partial<ReadyMessage> | null)?.type === 'ready') resolve(message as ReadyMessage);
    });
  });
  const endedEarly = exited.then(async (exit): Promise<never> => {
    const output = await said;
    if (exit.code === EX_CONFIG)
      throw new DaemonConfigError(`${name} does not start with this configuration:\n${output}`);
    throw new Error(
      `${name} ended before it was ready (${describeExit(exit)}), see ${logFile}${output ? `\n${output}` : ''}`,
    );
  });
  endedEarly.catch(() => {});
  try {
    const { url } = await withTimeout(Promise.race([ready, endedEarly]), READY_WITHIN_MS, {
      signal,
      message: `it was not ready in ${READY_WITHIN_MS / 1000} s`,
    });
    return { url, pid: child.pid!, stop, kill: (which) => void child.kill(which), exited };
  } catch (error) {
    if (child.pid && child.exitCode === null && child.signalCode === null)
      await stop(signal?.aborted ? 'ordered' : 'forced');
    throw error;
  }
}

/**
 * Waits for a daemon that a killed supervisor left running. The loss of its IPC channel makes it stop by itself, so it
 * is signalled only when it does not. Answers whether there was one.
 */
export async function stopOrphanedDaemon({ pidFile, main }: { pidFile: string; main: string }): Promise<boolean> {
  const pid = Number.parseInt(await readFile(pidFile, 'utf8').catch(() => ''), 10);
  if (!Number.isInteger(pid) || pid <= 1) return false;
  const patienceMs = DEFAULT_SHUTDOWN_TIMEOUT_MS + STOP_MARGIN_MS;
  const stopped = await stopOrphan({
    pid,
    isIt: (command) => command.endsWith(main),
    signals: [0, 'SIGTERM'],
    patienceMs,
  });
  rmSync(pidFile, { force: true });
  return stopped;
}
