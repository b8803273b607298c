import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { exitOf } from './child-exit.ts';

const APT_GET = '/usr/bin/apt-get';
/** Debian's switch for services: a package's start script runs only if this program allows it. */
const SERVICE_POLICY = '/usr/sbin/policy-rc.d';

export interface InstallOptions {
  /** Name of Debian's package. */
  package: string;
  env: NodeJS.ProcessEnv;
  /** Called before anything is done. */
  announce: () => void;
  /** What to do instead, for the error. */
  advice: string;
}

/**
 * Installs a package on Debian and Ubuntu as root. Elsewhere it does nothing and answers false. The package of a server
 * would also start that server on its usual port; this is prevented. Throws with the end of apt-get's output when it
 * fails.
 */
export async function installWithApt({ package: name, env, announce, advice }: InstallOptions): Promise<boolean> {
  if (process.getuid?.() !== 0 || !existsSync(APT_GET)) return false;
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  if (!/^ID(_LIKE)?=.*(debian|ubuntu)/m.test(release)) return false;

  announce();
  const holdsBack = await holdBackServices();
  try {
    await aptGet(['update'], { env, advice });
    await aptGet(['install', '-y', '--no-install-recommends', name], { env, advice });
  } finally {
    if (holdsBack) await rm(SERVICE_POLICY, { force: true });
  }
  return true;
}

/** Writes the policy. Answers whether it did, and it must then be removed; an existing one is the system's own. */
async function holdBackServices(): Promise<boolean> {
  try {
    await writeFile(SERVICE_POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755, flag: 'wx' });
    return true;
  } catch {
    return false;
  }
}

async function aptGet(args: string[], { env, advice }: Pick<InstallOptions, 'env' | 'advice'>): Promise<void> {
  // Waits for another apt-get instead of failing on its lock, and never asks a question.
  const child = spawn(APT_GET, ['-q', '-o', 'DPkg::Lock::Timeout=120', ...args], {
    env: { ...env, DEBIAN_FRONTEND: 'noninteractive', NEEDRESTART_MODE: 'l' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const { code } = await exitOf(child);
  if (code === 0) return;
  const end = output.trimEnd().split('\n').slice(-8).join('\n');
  throw new Error(`apt-get ${args.join(' ')} failed; ${advice}:\n${end}`);
}
