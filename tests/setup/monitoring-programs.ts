import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { installWithApt } from '@sluice/local-stack/install-with-apt';

/** Programs of other projects that what is in `deploy/` is tried with. */
const PACKAGES = { prometheus: 'prometheus', promtool: 'prometheus', nginx: 'nginx' } as const;

type Program = keyof typeof PACKAGES;

declare module 'vitest' {
  interface ProvidedContext {
    /** Where each program is; null when it is not on this machine and cannot be had. */
    programs: Record<Program, string | null>;
  }
}

/**
 * Finds Prometheus, promtool and nginx on PATH, else installs Debian's packages, as root on Debian and Ubuntu. Where
 * neither works the tests that need them are skipped and say so.
 */
export default async function setup(project: TestProject): Promise<void> {
  const entries: [Program, string | null][] = [];
  for (const name of Object.keys(PACKAGES) as Program[]) entries.push([name, find(name) ?? (await install(name))]);
  project.provide('programs', Object.fromEntries(entries) as Record<Program, string | null>);
}

async function install(name: Program): Promise<string | null> {
  try {
    const installed = await installWithApt({
      package: PACKAGES[name],
      env: process.env,
      announce: () => report(`${name}: not on this machine; installing ${PACKAGES[name]} with apt-get`),
      advice: `install ${PACKAGES[name]} yourself`,
    });
    if (!installed) report(`${name}: not on this machine; tests that need it are skipped`);
  } catch (error) {
    report(`${(error as Error).message}\n${name}: tests that need it are skipped`);
  }
  return find(name) ?? null;
}

function report(line: string): void {
  process.stdout.write(`${line}\n`);
}

function find(name: string): string | undefined {
  // Debian keeps servers in /usr/sbin, which is on the PATH of root only.
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin'].filter(Boolean);
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
