import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { REPOSITORY } from '@sluice/local-stack/config';

/** What one suite alone needs. It stays outside of the workspace's packages, so that nobody else installs it. */
export interface OwnPackages {
  /** Names the folder of the installation, and the packages in an error. */
  readonly name: string;
  /** The folder with the lock file. */
  readonly lockedIn: string;
  /** Called with one line before anything is installed. */
  readonly announce: (line: string) => void;
  readonly signal?: AbortSignal;
}

/** Where packages are installed: one folder for each content of the lock file, so that a change of it is a new one. */
export function installedFolder({ name, lockedIn }: OwnPackages, lockFile: string): string {
  const hash = createHash('sha256').update(readFileSync(join(lockedIn, lockFile)));
  return join(REPOSITORY, 'node_modules/.cache', `${name}-${hash.digest('hex').slice(0, 12)}`);
}
