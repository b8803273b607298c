import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { DaemonName } from '@sluice/local-stack/daemons';
import type { StackHandle } from '@sluice/local-stack/stack';
import type { PeerSurroundings } from './load/peers.ts';
import type { Progress } from './progress.ts';
import { withScratchStack } from './scratch-stack.ts';

/** What `main` passes to every suite. */
export interface SuiteContext {
  /** PATH, where programs are found. */
  readonly path: string | undefined;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  /** Aborts at the second Ctrl-C, when stopping in order takes too long for the user. */
  readonly forced: AbortSignal;
}

/** What a suite works with while its servers run. */
export interface Surroundings {
  readonly stack: StackHandle;
  /** For starting peers, and daemons beside those of the stack. */
  readonly around: PeerSurroundings;
  /** Stops what is deferred here before the servers, in reverse order. */
  readonly running: AsyncDisposableStack;
}

/** Runs `work` with a scratch stack and a folder for the logs of what else is started. */
export async function withServers<T>(
  { path, progress, signal, forced }: SuiteContext,
  daemons: readonly DaemonName[],
  work: (surroundings: Surroundings) => Promise<T>,
): Promise<T> {
  return withScratchStack({ path, daemons, report: progress.line, signal, forced }, async (stack, stackFolder) => {
    // A folder of their own: their logs may have the same names as those of the stack's daemons.
    const folder = join(stackFolder, 'peers');
    await mkdir(folder);
    await using running = new AsyncDisposableStack();
    const { databaseUrl, redisUrl } = stack;
    return await work({
      stack,
      around: { databaseUrl, redisUrl, folder, path, report: progress.line, signal },
      running,
    });
  });
}
