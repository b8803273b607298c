import { rmSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isLocked } from './lock-data-dir.ts';

/** What a running stack writes about itself in its folder, for `dev`. */
export interface StackFacts {
  /** With its password: the file is for its owner only. */
  databaseUrl: string;
  redisUrl: string;
  /** Names of the daemons that it runs. */
  daemons: readonly string[];
}

/** Writes the file, and answers the function that removes it. */
export async function writeStackFile(dataDir: string, facts: StackFacts): Promise<() => void> {
  const file = fileIn(dataDir);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `${JSON.stringify(facts, null, 2)}\n`, { mode: 0o600 });
  return () => rmSync(file, { force: true });
}

/** Reads the facts of the stack that runs on this folder; null when none runs, or it is not ready yet. */
export async function readRunningStack(dataDir: string): Promise<StackFacts | null> {
  // A killed stack does not remove its file.
  if (!(await isLocked(dataDir))) return null;
  try {
    return JSON.parse(await readFile(fileIn(dataDir), 'utf8')) as StackFacts;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function fileIn(dataDir: string): string {
  return join(dataDir, 'run', 'stack.json');
}
