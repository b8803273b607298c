import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exitOf } from './child-exit.ts';
import type { PostgresBinaries } from './postgres-binaries.ts';
import { commandOf } from './process-info.ts';
import type { UnprivilegedUser } from './run-unprivileged.ts';
import { stopOrphan } from './stop-orphan.ts';

export interface ClusterOptions {
  /** The folder of everything; it must already belong to `user`. */
  folder: string;
  binaries: PostgresBinaries;
  user: UnprivilegedUser;
  superuser: string;
}

/**
 * Makes the cluster in `<folder>/pgdata` unless it is there, and answers its folder and the superuser's password.
 *
 * The password is random and stored in `<folder>/password`, mode 0600. Every connection must present it
 * (scram-sha-256): with `trust`, any user of the machine could act as superuser, and so could a web page that makes a
 * TCP connection. Collation is Postgres's built-in C.UTF-8, the same on every system.
 */
export async function createCluster({
  folder,
  binaries,
  user,
  superuser,
}: ClusterOptions): Promise<{ folder: string; password: string }> {
  const [cluster, unfinished, passwordFile] = ['pgdata', 'pgdata.unfinished', 'password'].map((name) =>
    join(folder, name),
  ) as [string, string, string];
  if (!existsSync(cluster)) {
    // Made under another name, then renamed: the next start must not mistake an interrupted initdb for a cluster.
    await rm(unfinished, { recursive: true, force: true });
    await writeFile(passwordFile, randomBytes(24).toString('hex'), { mode: 0o600 });
    await user.own(passwordFile);
    const child = user.spawn(
      binaries.initdb,
      ['-D', unfinished, '--no-sync', '--no-instructions', '-U', superuser].concat(
        ['--auth=scram-sha-256', `--pwfile=${passwordFile}`],
        ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'],
      ),
      {
        detached: true,
        cwd: folder,
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { LC_ALL: 'C', TZ: 'UTC', PATH: '/usr/bin:/bin' },
      },
    );
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const { code } = await exitOf(child);
    if (code !== 0) throw new Error(`initdb could not make a Postgres cluster in ${folder}:\n${output.trim()}`);
    await rename(unfinished, cluster);
  }
  return { folder: cluster, password: (await readFile(passwordFile, 'utf8')).trim() };
}

/**
 * Stops a server that still runs on this folder because its supervisor was killed. Its lock file is trusted only
 * when the pid in it is a Postgres whose command line names this folder. A lock file with the pid of another process
 * (the pid was reused) is removed, because Postgres itself would refuse to start.
 */
export async function stopOrphanedPostgres(folder: string): Promise<void> {
  const cluster = join(folder, 'pgdata');
  const lockFile = join(cluster, 'postmaster.pid');
  const pid = Number.parseInt(await readFile(lockFile, 'utf8').catch(() => ''), 10);
  if (!Number.isInteger(pid) || pid <= 1) return;
  const isPostgresOn = (command: string) => command.includes('postgres') && command.includes(`-D ${cluster} `);
  const stopped = await stopOrphan({
    pid,
    isIt: isPostgresOn,
    signals: ['SIGINT', 'SIGQUIT'],
    patienceMs: 30_000,
  });
  const command = await commandOf(pid);
  if (!stopped && command !== undefined && !command.includes('postgres')) await rm(lockFile, { force: true });
}
