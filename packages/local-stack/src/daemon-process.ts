import type { Exit } from './child-exit.ts';
import { keepRunning } from './keep-running.ts';
import { DaemonConfigError, launchDaemon } from './launch-daemon.ts';
import type { DaemonOptions, RunningDaemon } from './launch-daemon.ts';

/** A daemon that is started again whenever it ends. */
export interface DaemonHandle {
  name: string;
  /** Of its latest run. */
  url: string;
  /** Of its present run; undefined while it is down. */
  pid: number | undefined;
  /** Ends it for good: `ordered` lets it drain, `forced` kills it. Resolves when it is gone. */
  stop(mode?: 'ordered' | 'forced'): Promise<void>;
  /** Sends a signal to the present run; if that ends it, it is started again. */
  kill(signal: NodeJS.Signals): void;
  /** Calls back with each end of it. */
  onExit(listener: (exit: Exit) => void): void;
  /** Calls back each time it is ready again after an end. */
  onReturn(listener: (run: RunningDaemon) => void): void;
}

/**
 * Starts a daemon, resolves when it is ready, and starts it again with backoff when it ends by itself. A daemon that
 * ends before it was ever ready is not started again: the start fails with the daemon's output.
 */
export async function startDaemon(options: DaemonOptions, signal?: AbortSignal): Promise<DaemonHandle> {
  const { name, report } = options;
  let url = '';
  // The signal ends the first start only: a daemon that dies later must be started again.
  let giveUp = signal;
  const kept = await keepRunning<RunningDaemon>({
    name,
    report,
    isFinal: (error) => error instanceof DaemonConfigError,
    start: async (unwanted) => {
      const run = await launchDaemon(options, giveUp ? AbortSignal.any([giveUp, unwanted]) : unwanted);
      url = run.url;
      return run;
    },
  });
  giveUp = undefined;
  return {
    name,
    get url() {
      return url;
    },
    get pid() {
      return kept.current()?.pid;
    },
    stop: (mode) => kept.stop((run) => run.stop(mode)),
    kill: (which) => kept.current()?.kill(which),
    onExit: (listener) => kept.onExit(listener),
    onReturn: (listener) => kept.onReturn(listener),
  };
}
