import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { installWithNpm } from '@sluice/testkit/install-with-npm';
import type { BrowserType } from './pages.ts';

const announce = (line: string) => process.stdout.write(`${line}\n`);

/**
 * Installs axe and Playwright as the lock file of this folder says. No browser is downloaded.
 *
 * @returns the text of axe's script, and the driver of Chromium
 * @throws Error when the registry cannot be reached
 */
export async function installAxe(): Promise<{ axe: string; chromium: BrowserType }> {
  const folder = await installWithNpm({ name: 'axe', lockedIn: import.meta.dirname, announce });
  const load = createRequire(join(folder, 'package.json'));
  const { chromium } = load('playwright-core') as { chromium: BrowserType };
  return { axe: readFileSync(load.resolve('axe-core/axe.min.js'), 'utf8'), chromium };
}
