import { visibleLines } from '@sluice/errors/visible';
import { type DaemonName } from './daemons.ts';
import { startStack } from './stack.ts';
import type { StackHandle } from './stack.ts';
import { onStopSignals } from './stop-signals.ts';

const EXIT_OK = 0;
const EXIT_FAILED = 1;
/** What a shell reports for a command that Ctrl-C ended. */
const EXIT_FORCED = 130;

/** The ports of a local stack if they are free, so that `psql` and `redis-cli` find it at the same address each day. */
const PREFERRED_PORTS = { postgres: 15432, redis: 16379 };

export interface RunStackOptions {
  dataDir: string;
  env: NodeJS.ProcessEnv;
  /** Which daemons to start, all four if not given. */
  daemons?: readonly DaemonName[] | undefined;
  /** Whether a missing Redis may be installed or downloaded; true if not given. */
  mayInstall?: boolean;
  /** Called with one line for each step of the stack. */
  report: (line: string) => void;
  /**
   * Called when the stack is ready. Its answer decides what follows: `stay` waits for Ctrl-C, a number stops the stack
   * and becomes the exit code. The signal aborts at the first Ctrl-C.
   */
  whenReady: (stack: StackHandle, signal: AbortSignal) => Promise<'stay' | number>;
}

/**
 * Runs a stack for a terminal: starts it, does `whenReady`, and at Ctrl-C or SIGTERM stops everything in order.
 * A second Ctrl-C kills what has not stopped. Resolves to the exit code when nothing is left running; an error is
 * printed on standard error and makes it 1.
 */
export async function runStack({
  dataDir,
  env,
  daemons,
  mayInstall,
  whenReady,
  ...options
}: RunStackOptions): Promise<number> {
  // Lines quote logs, and so what clients sent.
  const report = (line: string): void => options.report(visibleLines(line));
  const stopped = new AbortController();
  const untilStopped = new Promise<void>((resolve) => stopped.signal.addEventListener('abort', () => resolve()));
  let stack: StackHandle | undefined;
  let forced = false;
  // A closed pipe (`pnpm start | head`) or terminal must not end us before the data is safe.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  const ignoreSignals = onStopSignals({
    stop: () => {
      report('stopping in order; Ctrl-C again to stop at once');
      stopped.abort();
    },
    force: () => {
      if (!forced) report('stopping at once; what was accepted is safe and is stored after the next start');
      forced = true;
      void stack?.stop('forced');
    },
  });
  let code: 'stay' | number;
  try {
    stack = await startStack({
      dataDir,
      env,
      daemons,
      mayInstall,
      report,
      preferredPorts: PREFERRED_PORTS,
      signal: stopped.signal,
    });
    code = await whenReady(stack, stopped.signal);
    if (code === 'stay') await untilStopped;
  } catch (error) {
    code = EXIT_OK;
    if (!stopped.signal.aborted) {
      process.stderr.write(`error: ${visibleLines(error instanceof Error ? error.message : String(error))}\n`);
      code = EXIT_FAILED;
    }
  }
  await stack?.stop(forced ? 'forced' : 'ordered');
  ignoreSignals();
  if (forced) return EXIT_FORCED;
  if (stopped.signal.aborted) report('stopped');
  return code === 'stay' ? EXIT_OK : code;
}
