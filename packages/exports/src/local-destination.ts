import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { messageOf } from '@sluice/errors/message-of';
import { type Destination, DestinationError, type DestinationProblem } from './destination.ts';
import { probeDestination } from './probe-destination.ts';
import { keySegments } from './safe-key.ts';

/** End of the names of files that are being written. */
const UNFINISHED = '.unfinished';

/**
 * Opens a folder on this machine. A file is written under another name, synced to the disk, and renamed: a reader sees
 * it whole or not at all, also after a power cut.
 *
 * @param exportDir holds all local destinations; it may itself be a symbolic link, below it none is followed
 * @param prefix folder in it, relative; empty for the folder itself
 * @throws DestinationError `bad_destination` when the prefix leads out of it
 */
export function openLocalDestination(exportDir: string, prefix: string): Destination {
  const root = resolve(exportDir);
  const within = prefix === '' ? [] : keySegments(prefix);
  const label = join(root, ...within);
  const pathOf = (key: string): string[] => [...within, ...keySegments(key)];
  const destination = {
    label,
    async write(key: string, body: Readable, signal: AbortSignal): Promise<void> {
      const segments = pathOf(key);
      const name = segments.pop()!;
      // Without a listener, an error of a body that nobody reads any more would end the process.
      body.on('error', () => {});
      await named(label, signal, async () => {
        const folder = await makeFolder(root, segments);
        const unfinished = join(folder, `${name}${UNFINISHED}`);
        // An interrupted attempt may have left it. O_EXCL then follows no symbolic link.
        await rm(unfinished, { force: true });
        const file = await open(unfinished, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o640);
        try {
          await fill(file, body, signal);
          await file.sync();
        } catch (error) {
          await file.close();
          await rm(unfinished, { force: true });
          throw error;
        }
        await file.close();
        await rename(unfinished, join(folder, name));
        await syncFolder(folder);
      });
    },
    read: (key: string, signal: AbortSignal): Promise<Readable> =>
      named(label, signal, async () => {
        const path = await existing(root, pathOf(key));
        const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
        return file.createReadStream({ signal });
      }),
    remove: (key: string, signal: AbortSignal): Promise<void> =>
      named(label, signal, async () => {
        try {
          await rm(await existing(root, pathOf(key)), { force: true });
        } catch (error) {
          if (codeOf(error) !== 'ENOENT') throw error;
        }
      }),
    removeUnfinished: (folder: string, signal: AbortSignal): Promise<void> =>
      named(label, signal, async () => {
        try {
          const path = await existing(root, pathOf(folder));
          const names = await readdir(path);
          for (const name of names) if (name.endsWith(UNFINISHED)) await rm(join(path, name), { force: true });
        } catch (error) {
          if (codeOf(error) !== 'ENOENT') throw error;
        }
      }),
    close() {},
  };
  return { ...destination, probe: (signal) => probeDestination(destination, signal) };
}

/** Makes the folders of a path one by one, so that none of them is a symbolic link that leads elsewhere. */
async function makeFolder(root: string, segments: readonly string[]): Promise<string> {
  await mkdir(root, { recursive: true });
  let folder = root;
  for (const segment of segments) {
    folder = join(folder, segment);
    const made = await mkdir(folder, { mode: 0o750 }).then(
      () => true,
      (error: unknown) => {
        if (codeOf(error) !== 'EEXIST') throw error;
        return false;
      },
    );
    if (made) await syncFolder(dirname(folder));
    else refuseLink(folder, await lstat(folder));
  }
  return folder;
}

/** The path of an existing file, checked folder by folder for symbolic links. */
async function existing(root: string, segments: readonly string[]): Promise<string> {
  let path = root;
  for (const segment of segments) {
    path = join(path, segment);
    refuseLink(path, await lstat(path));
  }
  return path;
}

function refuseLink(path: string, stats: Stats): void {
  if (!stats.isSymbolicLink()) return;
  throw new DestinationError('bad_destination', `${path} is a symbolic link; exports do not follow any.`);
}

async function fill(file: FileHandle, body: Readable, signal: AbortSignal): Promise<void> {
  for await (const chunk of body) {
    signal.throwIfAborted();
    let bytes = chunk as Buffer;
    while (bytes.length > 0) {
      const { bytesWritten } = await file.write(bytes);
      bytes = bytes.subarray(bytesWritten);
    }
  }
}

/** Makes names in a folder survive a power cut. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const PROBLEMS: Readonly<Record<string, DestinationProblem>> = {
  EACCES: 'access_denied',
  EPERM: 'access_denied',
  EROFS: 'access_denied',
  ENOSPC: 'quota_exceeded',
  EDQUOT: 'quota_exceeded',
  EFBIG: 'quota_exceeded',
  ENOENT: 'not_there',
  ENOTDIR: 'bad_destination',
  EISDIR: 'bad_destination',
  ELOOP: 'bad_destination',
  ENAMETOOLONG: 'bad_destination',
  EIO: 'unreachable',
  ESTALE: 'unreachable',
  EMFILE: 'unreachable',
  ENFILE: 'unreachable',
};

/** Runs `work`, and turns errors of the file system into a DestinationError; other errors pass. */
async function named<T>(label: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    signal.throwIfAborted();
    return await work();
  } catch (error) {
    const problem = PROBLEMS[codeOf(error) ?? ''];
    if (problem === undefined) throw error;
    throw new DestinationError(problem, `${label}: ${messageOf(error)}`, { cause: error });
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
