import { execFile } from 'node:child_process';
import { availableParallelism, cpus, release, tmpdir, totalmem } from 'node:os';
import { promisify } from 'node:util';
import { REPOSITORY } from '@sluice/local-stack/config';
import { findRedisProgram } from '@sluice/local-stack/find-redis';
import { findPostgresBinaries } from '@sluice/local-stack/postgres-binaries';

const run = promisify(execFile);

/** What a reader needs to have the same figures again: what was run, on what, and with which servers. */
export async function describeRun(env: NodeJS.ProcessEnv) {
  return {
    arguments: process.argv.slice(2),
    commit: await commitOf(REPOSITORY),
    machine: {
      /** Those that it may use: `taskset` and containers take some away. */
      cores: availableParallelism(),
      coresInAll: cpus().length,
      processor: cpus()[0]?.model ?? 'unknown',
      memoryMiB: Math.round(totalmem() / 1024 / 1024),
      kernel: release(),
      /** Where data lie; how fast fsync is there decides much. */
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
    // Without its lock, which would stand in the way of somebody's commit.
    const { stdout: changes } = await run('git', ['--no-optional-locks', '-C', folder, 'status', '--porcelain']);
    return commit.trim() + (changes === '' ? '' : '+changes');
  } catch {
    return null;
  }
}

/** What a program says of itself; null where there is none, such as with Redis in Docker. */
async function versionOf(find: () => Promise<string | undefined>): Promise<string | null> {
  try {
    const program = await find();
    return program === undefined ? null : (await run(program, ['--version'])).stdout.trim();
  } catch {
    return null;
  }
}
