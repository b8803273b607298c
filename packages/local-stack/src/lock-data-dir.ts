import { readFileSync, rmSync } from 'node:fs';
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startTimeOf } from './process-info.ts';

const ATTEMPTS = 5;

/**
 * Makes this process the only one that runs a stack on a folder. Answers the function that releases the lock. The lock
 * contains the pid and the start time, so that the lock of a killed process does not count, even if its pid is reused.
 * Throws when another live process has it.
 */
export async function lockDataDir(dataDir: string): Promise<() => void> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const file = lockFileOf(dataDir);
  const mine = `${process.pid} ${await startTimeOf(process.pid)}`;
  const draft = `${file}.${process.pid}`;
  await writeFile(draft, mine);
  try {
    await takeLock({ file, draft, dataDir });
  } finally {
    await rm(draft, { force: true });
  }
  return () => {
    try {
      if (readFileSync(file, 'utf8') === mine) rmSync(file);
    } catch {
      // The folder was removed meanwhile; there is nothing left to unlock.
    }
  };
}

/** Whether a live process runs a stack on the folder. */
export async function isLocked(dataDir: string): Promise<boolean> {
  return isAlive(await readFile(lockFileOf(dataDir), 'utf8').catch(() => ''));
}

function lockFileOf(dataDir: string): string {
  return join(dataDir, 'supervisor.pid');
}

/** Whether the process that wrote this lock still is the one with its pid. */
async function isAlive(lock: string): Promise<boolean> {
  const pid = Number.parseInt(lock, 10);
  return Boolean(pid) && (await startTimeOf(pid)) === lock.slice(lock.indexOf(' ') + 1);
}

async function takeLock({ file, draft, dataDir }: { file: string; draft: string; dataDir: string }): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      // A link appears whole or not at all, so a lock is never read while it is being written.
      return await link(draft, file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const theirs = await readFile(file, 'utf8').catch(() => '');
      if ((await isAlive(theirs)) || attempt === ATTEMPTS) {
        throw new Error(
          `a stack is already running on ${dataDir} (pid ${Number.parseInt(theirs, 10)}); stop it, or set SLUICE_DATA_DIR to another folder`,
          { cause: error },
        );
      }
      await removeStale({ file, aside: `${draft}.stale`, stale: theirs });
    }
  }
}

/** Removes a stale lock. Of two processes that find it, the slower must not remove the new lock of the faster. */
async function removeStale({ file, aside, stale }: { file: string; aside: string; stale: string }): Promise<void> {
  try {
    await rename(file, aside);
    if ((await readFile(aside, 'utf8')) !== stale) await link(aside, file);
  } catch (error) {
    if (!['ENOENT', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  } finally {
    await rm(aside, { force: true });
  }
}
