import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { installWithApt } from '@sluice/local-stack/install-with-apt';
import { installedFolder, type OwnPackages } from './installed-folder.ts';

const run = promisify(execFile);

/** Packages of Python. */
export interface PythonPackages extends OwnPackages {
  /** The oldest Python that they run with, such as 3.11. */
  readonly python: string;
  /** Of apt-get. */
  readonly env: NodeJS.ProcessEnv;
}

/**
 * Installs what a requirements.txt pins into a Python environment of its own, outside of the workspace's packages.
 *
 * @returns the environment's folder; its programs are in `bin`
 * @throws Error when there is no such Python with venv, or the package index cannot be reached
 */
export async function installWithPip(packages: PythonPackages): Promise<string> {
  const folder = installedFolder(packages, 'requirements.txt');
  // pip is the last to write there, so that an interrupted installation is made again from scratch.
  const done = join(folder, 'installed.txt');
  if (existsSync(done)) return folder;
  packages.announce(`Installing ${packages.name} with pip into ${folder}`);
  await rm(folder, { recursive: true, force: true });
  try {
    await makeEnvironment(folder, packages);
    const requirements = ['--requirement', join(packages.lockedIn, 'requirements.txt')];
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...requirements];
    await run(join(folder, 'bin', 'python'), [...pip, '--report', `${done}.part`], { signal: packages.signal });
  } catch (error) {
    packages.signal?.throwIfAborted();
    const { stderr = '', message } = error as { stderr?: string; message: string };
    const needed = `${packages.name} cannot be installed with pip; it needs Python ${packages.python} with venv.`;
    throw new Error(`${needed}\n${stderr || message}`, { cause: error });
  }
  await rename(`${done}.part`, done);
  return folder;
}

/** Makes an empty Python environment; as root on Debian and Ubuntu it installs Python's part for that, if it is missing. */
async function makeEnvironment(folder: string, { env, announce, signal }: PythonPackages): Promise<void> {
  try {
    await run('python3', ['-m', 'venv', folder], { signal });
  } catch (error) {
    signal?.throwIfAborted();
    const name = 'python3-venv';
    const say = () => announce(`${name}: not on this machine; installing it with apt-get`);
    const advice = `install ${name} yourself`;
    if (!(await installWithApt({ package: name, env, announce: say, advice }))) throw error;
    await rm(folder, { recursive: true, force: true });
    await run('python3', ['-m', 'venv', folder], { signal });
  }
}
