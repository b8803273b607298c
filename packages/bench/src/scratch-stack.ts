import type { DaemonName } from '@sluice/local-stack/daemons';
import { startStack, type StackHandle } from '@sluice/local-stack/stack';
import { withScratchFolder } from './scratch-folder.ts';

/**
 * Runs `work` on a new stack, on free ports, with all defaults (durability included), and removes it afterwards.
 * When `work` fails, the logs remain.
 */
export async function withScratchStack<T>(
  options: {
    daemons: readonly DaemonName[];
    /** PATH, where programs are found. */
    path: string | undefined;
    report: (line: string) => void;
    signal: AbortSignal;
    /** Kills the stack, also while it is stopping in order, without waiting for `work`. */
    forced: AbortSignal;
  },
  /** Given the stack's folder, too. */
  work: (stack: StackHandle, folder: string) => Promise<T>,
): Promise<T> {
  return withScratchFolder(options.signal, async (folder) => {
    const stack = await startStack({
      dataDir: folder,
      // Of the caller's environment only PATH: a benchmark must not depend on the caller's settings.
      env: {
        PATH: options.path,
        INGEST_PORT: '0',
        QUERY_PORT: '0',
        WRITER_PORT: '0',
        MAINTENANCE_PORT: '0',
        // The only limit that would slow down a client which sends its next request after each answer.
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
