import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { installWithApt } from '@sluice/local-stack/install-with-apt';

const run = promisify(execFile);

const REQUIREMENTS = join(import.meta.dirname, 'requirements.txt');
const CACHE = resolve(import.meta.dirname, '../../../node_modules/.cache');

/**
 * Installs the pinned Schemathesis into an environment of its own, outside of the workspace's packages. One environment
 * for each content of requirements.txt, so that a change of it is a new one.
 *
 * @returns the program
 * @throws Error when there is no Python, or the registry cannot be reached
 */
export async function installSchemathesis(): Promise<string> {
  const hash = createHash('sha256').update(readFileSync(REQUIREMENTS)).digest('hex').slice(0, 12);
  const folder = join(CACHE, `schemathesis-${hash}`);
  const program = join(folder, 'bin', 'schemathesis');
  // pip is the last to write there, so that an interrupted installation is made again from scratch.
  const done = join(folder, 'installed.txt');
  if (existsSync(done)) return program;
  process.stdout.write(`Installing Schemathesis with pip into ${folder}\n`);
  await rm(folder, { recursive: true, force: true });
  try {
    await makeEnvironment(folder);
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--requirement', REQUIREMENTS];
    await run(join(folder, 'bin', 'python'), [...pip, '--report', `${done}.part`]);
  } catch (error) {
    const { stderr = '', message } = error as { stderr?: string; message: string };
    throw new Error(`Schemathesis cannot be installed; it needs Python 3.10 with venv.\n${stderr || message}`, {
      cause: error,
    });
  }
  await rename(`${done}.part`, done);
  return program;
}

/** Makes an empty Python environment; as root on Debian and Ubuntu it installs Python's part for that, if it is missing. */
async function makeEnvironment(folder: string): Promise<void> {
  try {
    await run('python3', ['-m', 'venv', folder]);
  } catch (error) {
    const name = 'python3-venv';
    const announce = () => process.stdout.write(`${name}: not on this machine; installing it with apt-get\n`);
    const advice = `install ${name} yourself`;
    if (!(await installWithApt({ package: name, env: process.env, announce, advice }))) throw error;
    await rm(folder, { recursive: true, force: true });
    await run('python3', ['-m', 'venv', folder]);
  }
}
