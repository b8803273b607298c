import { execFile } from 'node:child_process';
import { availableParallelism, cpus, release, tmpdir, totalmem } from 'node:os';
import { promisify } from 'node:util';
import { REPOSITORY } from '@sluice/local-stack/config';
import { findRedisProgram } from '@sluice/local-stack/find-redis';
import { findPostgresBinaries } from '@sluice/local-stack/postgres-binaries';

const run = promisify(execFile);

/** What a reader needs to reproduce the figures: the command, the machine and the servers. */
export async function describeRun(env: NodeJS.ProcessEnv) {
  return {
    arguments: process.argv.slice(2),
    commit: await commitOf(REPOSITORY),
    machine: {
      /** Those that it may use: `taskset` and containers can limit them. */
      cores: availableParallelism(),
      coresInAll: cpus().length,
      processor: cpus()[0]?.model ?? 'unknown',
      memoryMiB: Math.round(totalmem() / 1024 / 1024),
      kernel: release(),
      /** The file system of the data; the speed of its fsync matters most. */
      dataFolder: tmpdir(),
    },
    versions: {
      node: process.version,
      postgres: await versionOf(async () => (await findPostgresBinaries()).postgres),
      redis: await versionOf(async () => (await findRedisProgram(env)).path),
    },
  };
}

/** The commit that is checked out, with `+changes` when files differ from it; null outside of a repository. */
async function commitOf(folder: string): Promise<string | null> {
  try {
    const { stdout: commit } = await run('git', ['-C', folder, 'rev-parse', 'HEAD']);
    // Without its lock, which could block a commit.
    const { stdout: changes } = await run('git', ['--no-optional-locks', '-C', folder, 'status', '--porcelain']);
    return commit.trim() + (changes === '' ? '' : '+changes');
  } catch {
    return null;
  }
}

/** A program's version; null where there is no program, such as with Redis in Docker. */
async function versionOf(find: () => Promise<string | undefined>): Promise<string | null> {
  try {
    const program = await find();
    return program === undefined ? null : (await run(program, ['--version'])).stdout.trim();
  } catch {
    return null;
  }
}
