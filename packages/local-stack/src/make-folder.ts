import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Makes a folder that only its owner may enter, and those above it that are missing. Folder by folder: Node's own
 * recursive mkdir never returns, and cannot be interrupted, where a file system makes no folders and does not say so
 * (`/proc`).
 *
 * @throws Error that names the folder and the reason
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await makeMissing(path);
  } catch (error) {
    throw new Error(`the folder ${path} cannot be made: ${(error as Error).message}`, { cause: error });
  }
}

async function makeMissing(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const isFolder = await stat(path).then(
      (found) => found.isDirectory(),
      () => false,
    );
    if (isFolder) return;
    if (code !== 'ENOENT' || dirname(path) === path) throw error;
    await makeMissing(dirname(path));
    await mkdir(path, { mode: 0o700 });
  }
}
