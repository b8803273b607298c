import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startStack, type DaemonName, type StackHandle } from '@sluice/local-stack/stack';

/**
 * Runs `work` on a stack of its own, on free ports, with everything as it is by default (durability included), and
 * removes it afterwards.
 */
export async function withScratchStack<T>(
  options: {
    daemons: readonly DaemonName[];
    /** PATH, where programs are found. */
    path: string | undefined;
    report: (line: string) => void;
    signal: AbortSignal;
  },
  work: (stack: StackHandle) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  try {
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
    try {
      return await work(stack);
    } finally {
      await stack.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
