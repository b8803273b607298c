import { execFile, spawn } from 'node:child_process';
import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { chown, lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** uid and gid of `nobody` on Debian, Alpine and Fedora. No account is needed for it, only the number. */
const NOBODY = 65534;

export interface UnprivilegedUser {
  spawn(command: string, args: string[], options: SpawnOptions): ChildProcess;
  /** Gives a folder and what is in it to the user that `spawn` runs programs as. */
  own(folder: string): Promise<void>;
}

/**
 * Chooses the user that programs run as, because Postgres refuses to run as root. For root that is `nobody`, for anyone
 * else the caller.
 *
 * Clones often live in folders that `nobody` can't traverse (`mktemp -d` and /root are 0700), so where `setpriv`
 * and the kernel allow it, the program retains the one capability that reads past those permissions. Where they
 * don't, it runs as plain `nobody`, which is enough when the folders are readable.
 */
export async function unprivilegedUser(): Promise<UnprivilegedUser> {
  if (process.getuid?.() !== 0) return { spawn, own: async () => {} };
  const setpriv = [
    `--reuid=${NOBODY}`,
    `--regid=${NOBODY}`,
    '--clear-groups',
    // Without it access(2), by which initdb finds its siblings, ignores the capability.
    '--securebits=+no_setuid_fixup',
    '--inh-caps=+dac_override',
    '--ambient-caps=+dac_override',
    '--',
  ];
  const keepsCapability = await promisify(execFile)('setpriv', [...setpriv, process.execPath, '--version']).then(
    () => true,
    () => false,
  );
  return {
    spawn: (command, args, options) =>
      keepsCapability
        ? spawn('setpriv', [...setpriv, command, ...args], options)
        : spawn(command, args, { ...options, uid: NOBODY, gid: NOBODY }),
    own: chownTree,
  };
}

async function chownTree(path: string): Promise<void> {
  const stat = await lstat(path);
  // A folder that is already theirs was changed whole before, and what Postgres made inside is theirs too.
  if (stat.uid === NOBODY) return;
  if (stat.isDirectory()) for (const name of await readdir(path)) await chownTree(join(path, name));
  if (!stat.isSymbolicLink()) await chown(path, NOBODY, NOBODY);
}
