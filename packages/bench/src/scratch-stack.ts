import type { DaemonName } from '@sluice/local-stack/daemons';
import { startStack, type StackHandle } from '@sluice/local-stack/stack';
import { withScratchFolder } from './scratch-folder.ts';

/**
 * Runs `work` on a stack of its own, on free ports, with everything as it is by default (durability included), and
 * removes it afterwards; only the logs stay when it fails.
 */
export async function withScratchStack<T>(
  options: {
    daemons: readonly DaemonName[];
    /** PATH, where programs are found. */
    path: string | undefined;
    report: (line: string) => void;
    signal: AbortSignal;
    /** Kills the stack, also while it is stopping in order; `work` is not waited for any more. */
    forced: AbortSignal;
  },
  /** Given the stack's folder, too. */
  work: (stack: StackHandle, folder: string) => Promise<T>,
): Promise<T> {
  return withScratchFolder(options.signal, async (folder) => {
    const stack = await startStack({
      dataDir: folder,
      // Nothing of the caller's environment but PATH: a benchmark must not depend on somebody's settings.
      env: {
        PATH: options.path,
        INGEST_PORT: '0',
        QUERY_PORT: '0',
        WRITER_PORT: '0',
        MAINTENANCE_PORT: '0',
        // The one limit that is in the way of asking as fast as answers come.
        RATE_LIMIT_PER_MINUTE: '0',
      },
      report: options.report,
      daemons: options.daemons,
      signal: options.signal,
    });
    const killed = new Promise<never>((_, reject) => {
      const kill = async (): Promise<void> => {
        await stack.stop('forced');
        reject(new Error('the stack was killed'));
      };
      options.forced.addEventListener('abort', () => void kill(), { once: true });
    });
    try {
      return await Promise.race([work(stack, folder), killed]);
    } finally {
      await stack.stop();
    }
  });
}
