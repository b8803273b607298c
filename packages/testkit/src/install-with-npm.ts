import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { installedFolder, type OwnPackages } from './installed-folder.ts';

const run = promisify(execFile);

/**
 * Installs what a package-lock.json pins, outside of the workspace's packages, without running install scripts.
 *
 * @returns the folder whose node_modules has them
 * @throws Error when the registry cannot be reached
 */
export async function installWithNpm(packages: OwnPackages): Promise<string> {
  const folder = installedFolder(packages, 'package-lock.json');
  if (existsSync(folder)) return folder;
  packages.announce(`Installing ${packages.name} with npm into ${folder}`);
  // Renamed at the end, so that an interrupted installation is made again from scratch.
  const part = `${folder}.part`;
  await rm(part, { recursive: true, force: true });
  mkdirSync(part, { recursive: true });
  for (const file of ['package.json', 'package-lock.json']) cpSync(join(packages.lockedIn, file), join(part, file));
  const options = ['--ignore-scripts', '--no-audit', '--no-fund'];
  try {
    const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
    await run(npm, ['ci', ...options], { cwd: part, signal: packages.signal });
  } catch (error) {
    packages.signal?.throwIfAborted();
    const { stderr = '', message } = error as { stderr?: string; message: string };
    throw new Error(`${packages.name} cannot be installed with npm:\n${stderr || message}`, { cause: error });
  }
  await rename(part, folder);
  return folder;
}
