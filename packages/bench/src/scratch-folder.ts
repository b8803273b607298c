import { mkdtemp, readdir, rm, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { firstMessageOf } from './first-message.ts';

/**
 * Runs `work` with a new folder and removes it afterwards. When `work` fails, other than by the abort, the logs in the
 * folder remain, and the error says where.
 */
export async function withScratchFolder<T>(signal: AbortSignal, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  let failed = false;
  try {
    return await work(folder);
  } catch (error) {
    if (signal.aborted) throw error;
    failed = true;
    throw new Error(`${firstMessageOf(error)}\nits logs are in ${folder}`, { cause: error });
  } finally {
    if (failed) await keepLogs(folder);
    // A daemon that was killed a moment ago may still have written something.
    else await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Removes everything but logs, and the folders that are then empty: the data is gigabytes. */
async function keepLogs(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      await keepLogs(path);
      if ((await readdir(path)).length === 0) await rmdir(path);
    } else if (!entry.name.endsWith('.log')) await rm(path, { force: true });
  }
}
