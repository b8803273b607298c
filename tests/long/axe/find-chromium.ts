import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { installWithApt } from '@sluice/local-stack/install-with-apt';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome', 'microsoft-edge'];

/**
 * Finds a Chromium on PATH, else installs Debian's package, as root on Debian and Ubuntu.
 *
 * @returns its path; null when there is none and it cannot be installed
 */
export async function findChromium(): Promise<string | null> {
  const found = find();
  if (found !== undefined) return found;
  try {
    await installWithApt({
      package: 'chromium',
      env: process.env,
      announce: () => process.stdout.write('chromium: not on this machine; installing it with apt-get\n'),
      advice: 'install chromium yourself',
    });
  } catch (error) {
    process.stdout.write(`${(error as Error).message}\n`);
  }
  return find() ?? null;
}

function find(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter(Boolean);
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
