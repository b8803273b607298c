import { type Backoff, backoffDelay } from '@sluice/daemon/retry/backoff';
import { waitOrAbort } from '@sluice/daemon/retry/wait-or-abort';
import { describeExit } from './child-exit.ts';
import type { Exit } from './child-exit.ts';
import { progressLine } from './progress-line.ts';

/** Waits before a restart. They have no random part, because they are shown. */
const BACKOFF: Backoff = { initialMs: 500, maxMs: 10_000, jitter: 0 };
/** A process that ran this long counts as healthy: its next end counts as the first. */
const HEALTHY_AFTER_MS = 60_000;

/** A process that can be stopped and whose end can be awaited. */
export interface Stoppable {
  exited: Promise<Exit>;
  stop(): Promise<void>;
}

export interface KeepRunningOptions<T> {
  name: string;
  /** Starts it and resolves when it is ready; the signal aborts when it is no longer wanted. */
  start: (signal: AbortSignal) => Promise<T>;
  /** Whether an error of `start` would only repeat, so that there is no further attempt. */
  isFinal?: (error: unknown) => boolean;
  /** Called with a line at each end and at each restart. */
  report: (line: string) => void;
}

export interface KeptRunning<T> {
  /** The present run; undefined between an end and the next ready. */
  current(): T | undefined;
  /** Calls back at each end, wanted or not. */
  onExit(listener: (exit: Exit) => void): void;
  /** Calls back with each run after the first, when it is ready. */
  onReturn(listener: (run: T) => void): void;
  /** Ends it for good, by `how` or its own stop(). Safe while it is being started again, and more than once. */
  stop(how?: (run: T) => Promise<void>): Promise<void>;
}

/**
 * Starts something and starts it again each time it ends, after 0.5 s, doubling to 10 s while it keeps ending soon.
 * Rejects when the first start fails; later failures are reported and tried again.
 */
export async function keepRunning<T extends Stoppable>(options: KeepRunningOptions<T>): Promise<KeptRunning<T>> {
  const { name, start, isFinal = () => false, report } = options;
  const say = (text: string) => report(progressLine(name, text));
  const onExit: ((exit: Exit) => void)[] = [];
  const onReturn: ((run: T) => void)[] = [];
  const unwanted = new AbortController();
  let current: T | undefined = await start(unwanted.signal);
  /** Ends and failed starts since it was healthy. */
  let failures = 0;
  const delayMs = (): number => backoffDelay(BACKOFF, failures + 1);

  /** Tries until it runs again; undefined when it is no longer wanted or can't run. */
  const startAgain = async (): Promise<T | undefined> => {
    while (!unwanted.signal.aborted) {
      try {
        await waitOrAbort(delayMs(), unwanted.signal);
        if (unwanted.signal.aborted) return undefined;
        failures += 1;
        const run = await start(unwanted.signal);
        if (!unwanted.signal.aborted) return run;
        await run.stop();
      } catch (error) {
        if (unwanted.signal.aborted) return undefined;
        const message = error instanceof Error ? error.message : String(error);
        if (isFinal(error)) {
          say(`stays down: ${message}`);
          return undefined;
        }
        say(`did not start, trying again in ${delayMs() / 1000} s: ${message}`);
      }
    }
    return undefined;
  };

  const supervise = async (): Promise<void> => {
    while (current) {
      const startedAt = performance.now();
      const exit = await current.exited;
      const endedAt = performance.now();
      current = undefined;
      for (const listener of onExit) listener(exit);
      if (unwanted.signal.aborted) return;
      if (endedAt - startedAt > HEALTHY_AFTER_MS) failures = 0;
      say(`ended (${describeExit(exit)}), starting again in ${delayMs() / 1000} s`);
      current = await startAgain();
      if (!current) return;
      say(`ready again after ${((performance.now() - endedAt) / 1000).toFixed(1)} s`);
      for (const listener of onReturn) listener(current);
    }
  };
  const supervised = supervise();

  return {
    current: () => current,
    onExit: (listener) => void onExit.push(listener),
    onReturn: (listener) => void onReturn.push(listener),
    async stop(how = (run) => run.stop()) {
      unwanted.abort();
      if (current) await how(current);
      await supervised;
    },
  };
}
