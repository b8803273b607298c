import { execFile } from 'node:child_process';
import { mkdtemp, open, rm, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Disk } from './fault-rig.ts';

const run = promisify(execFile);
const BLOCK = Buffer.alloc(64 * 1024, 1);

/** Why no small file system can be mounted here; null when it can. */
export async function cannotMount(): Promise<string | null> {
  if (process.platform !== 'linux') return 'tmpfs is a file system of Linux';
  try {
    const disk = await smallDisk(1);
    await disk.remove();
    return null;
  } catch (error) {
    return `a tmpfs cannot be mounted: ${(error as Error).message.trim().split('\n').at(-1)}`;
  }
}

/** A file system in memory that can be filled. */
export async function smallDisk(mebibytes: number): Promise<Disk> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-disk-'));
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m,mode=0755`, 'sluice-faults', folder]);
  } catch (error) {
    await rmdir(folder);
    throw error;
  }
  return {
    folder,
    async remove() {
      await run('umount', [folder]);
      await rmdir(folder);
    },
  };
}

/** Writes a file until the disk is full. */
export async function fillUp(disk: Disk): Promise<void> {
  const file = await open(ballast(disk), 'w');
  try {
    for (;;) await file.write(BLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  } finally {
    await file.close();
  }
}

/** Removes the file. */
export async function freeUp(disk: Disk): Promise<void> {
  await rm(ballast(disk));
}

function ballast(disk: Disk): string {
  return join(disk.folder, 'ballast');
}
