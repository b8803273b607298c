import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { BrowserType } from './pages.ts';

const run = promisify(execFile);

const FILES = ['package.json', 'package-lock.json'];
const CACHE = resolve(import.meta.dirname, '../../../node_modules/.cache');

/**
 * Installs axe and Playwright as the lock file of this folder says, outside of the workspace's packages. One folder for
 * each content of the lock file, so that a change of it is a new one. No browser is downloaded.
 *
 * @returns the text of axe's script, and the driver of Chromium
 * @throws Error when the registry cannot be reached
 */
export async function installAxe(): Promise<{ axe: string; chromium: BrowserType }> {
  const lock = readFileSync(join(import.meta.dirname, 'package-lock.json'));
  const folder = join(CACHE, `axe-${createHash('sha256').update(lock).digest('hex').slice(0, 12)}`);
  if (!existsSync(folder)) await install(folder);
  const load = createRequire(join(folder, 'package.json'));
  const { chromium } = load('playwright-core') as { chromium: BrowserType };
  return { axe: readFileSync(load.resolve('axe-core/axe.min.js'), 'utf8'), chromium };
}

async function install(folder: string): Promise<void> {
  process.stdout.write(`Installing axe and Playwright with npm into ${folder}\n`);
  // Renamed at the end, so that an interrupted installation is made again from scratch.
  const part = `${folder}.part`;
  await rm(part, { recursive: true, force: true });
  mkdirSync(part, { recursive: true });
  for (const file of FILES) cpSync(join(import.meta.dirname, file), join(part, file));
  const options = ['--ignore-scripts', '--no-audit', '--no-fund'];
  try {
    await run(process.platform === 'win32' ? 'npm.cmd' : 'npm', ['ci', ...options], { cwd: part });
  } catch (error) {
    const { stderr = '', message } = error as { stderr?: string; message: string };
    throw new Error(`axe cannot be installed with npm:\n${stderr || message}`, { cause: error });
  }
  await rename(part, folder);
}
