import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import type { TestProject } from 'vitest/node';
import { installWithApt } from '@sluice/local-stack/install-with-apt';

const run = promisify(execFile);

/** Programs of other projects that test the files of `deploy/`, and Debian's package of each. */
const PACKAGES = { prometheus: 'prometheus', promtool: 'prometheus', nginx: 'nginx' } as const;
const COMPOSE_PACKAGE = 'docker-compose';

type Program = keyof typeof PACKAGES;

declare module 'vitest' {
  interface ProvidedContext {
    /** Path of each program; null when it is not on this machine and cannot be installed. */
    programs: Record<Program, string | null>;
    /** The command that reads compose files; null when there is none. */
    compose: string[] | null;
  }
}

/**
 * Finds Prometheus, promtool, nginx and compose on PATH, else installs Debian's packages, as root on Debian and Ubuntu.
 * Where neither works the tests that need them are skipped and say so.
 */
export default async function setup(project: TestProject): Promise<void> {
  const entries: [Program, string | null][] = [];
  for (const name of Object.keys(PACKAGES) as Program[]) {
    if (find(name) === undefined) await install(PACKAGES[name]);
    entries.push([name, find(name) ?? null]);
  }
  project.provide('programs', Object.fromEntries(entries) as Record<Program, string | null>);
  if ((await findCompose()) === null) await install(COMPOSE_PACKAGE);
  project.provide('compose', await findCompose());
}

async function install(name: string): Promise<void> {
  try {
    const installed = await installWithApt({
      package: name,
      env: process.env,
      announce: () => report(`${name}: not on this machine; installing it with apt-get`),
      advice: `install ${name} yourself`,
    });
    if (!installed) report(`${name}: not on this machine; tests that need it are skipped`);
  } catch (error) {
    report(`${(error as Error).message}\n${name}: tests that need it are skipped`);
  }
}

/** Compose as a plugin of docker, or as a program of its own. */
async function findCompose(): Promise<string[] | null> {
  for (const candidate of [['docker', 'compose'], ['docker-compose']]) {
    try {
      await run(candidate[0]!, [...candidate.slice(1), 'version']);
      return candidate;
    } catch {
      // The next one.
    }
  }
  return null;
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
