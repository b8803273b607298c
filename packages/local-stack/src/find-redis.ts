import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { installRedisWithApt } from './install-redis.ts';

const run = promisify(execFile);

/** Streams exist since 5.0; 7.0 (Debian 12's) is the oldest that Sluice is tested with. Valkey starts at 7.2. */
const OLDEST_MAJOR = 7;
const IMAGE = 'redis:8';
const ENGINE_ANSWERS_WITHIN_MS = 5_000;

/** What to start: a program of this machine, or an image in Docker. */
export type RedisServer = { kind: 'program'; path: string } | { kind: 'docker'; image: string };

export interface FindRedisOptions {
  /** Its PATH is searched; Docker and apt-get run with it. */
  env: NodeJS.ProcessEnv;
  /** Called with one line before anything is downloaded or installed. */
  report: (line: string) => void;
  /** Whether something may be downloaded or installed; true if not given. */
  mayInstall?: boolean | undefined;
}

/**
 * Finds a Redis to start, since no npm package ships one: `redis-server` or `valkey-server` on PATH; else Docker, when
 * an engine answers; else, on Debian and Ubuntu as root, the system's package. Throws with the possible next steps.
 */
export async function findRedisServer({ env, report, mayInstall = true }: FindRedisOptions): Promise<RedisServer> {
  const onPath = await findRedisProgram(env);
  if (onPath.path) return { kind: 'program', path: onPath.path };
  const docker = await findDockerImage(env, mayInstall ? report : null);
  if (docker) return docker;
  if (mayInstall && (await installRedisWithApt({ env, report }))) {
    const installed = await findRedisProgram(env);
    if (installed.path) return { kind: 'program', path: installed.path };
  }
  throw new Error(
    [
      `no Redis to start${onPath.tooOld ? ` (${onPath.tooOld} is older than ${OLDEST_MAJOR}.0)` : ''}${mayInstall ? '' : ', and --no-install refuses to fetch one'}. Do one of these and start again:`,
      '  - set REDIS_URL to a Redis 7.0 or later, for example REDIS_URL=redis://127.0.0.1:6379',
      '  - install it: brew install redis, apt-get install redis-server, dnf install valkey',
      '  - start Docker: a redis:8 container is then used',
    ].join('\n'),
  );
}

/** Finds the Redis or Valkey on PATH, or the one that is too old; neither when there is none. */
export async function findRedisProgram(env: NodeJS.ProcessEnv): Promise<{ path?: string; tooOld?: string }> {
  let tooOld: string | undefined;
  for (const name of ['redis-server', 'valkey-server']) {
    for (const folder of (env['PATH'] ?? '').split(delimiter).filter(Boolean)) {
      const path = join(folder, name);
      const version = await versionOf(path);
      if (version === undefined) continue;
      if (Number.parseInt(version, 10) >= OLDEST_MAJOR) return { path };
      tooOld = `${path} ${version}`;
    }
  }
  return tooOld ? { tooOld } : {};
}

async function versionOf(path: string): Promise<string | undefined> {
  try {
    await access(path, constants.X_OK);
    const { stdout } = await run(path, ['--version']);
    return /\bv=(\d+\.\d+\.\d+)/.exec(stdout)?.[1];
  } catch {
    return undefined;
  }
}

/** @param report null when nothing may be downloaded */
async function findDockerImage(
  env: NodeJS.ProcessEnv,
  report: ((line: string) => void) | null,
): Promise<RedisServer | undefined> {
  try {
    // The client answers without an engine too; only the engine's own version shows that there is one.
    await run('docker', ['version', '--format', '{{.Server.Version}}'], {
      env,
      timeout: ENGINE_ANSWERS_WITHIN_MS,
    });
  } catch {
    return undefined;
  }
  const present = await run('docker', ['image', 'inspect', IMAGE], { env }).then(
    () => true,
    () => false,
  );
  if (!present) {
    if (report === null) return undefined;
    report(`Redis: not on this machine; Docker is, so pulling ${IMAGE} (--no-install refuses that)`);
    try {
      await run('docker', ['pull', '--quiet', IMAGE], { env });
    } catch (error) {
      report(
        `Redis: ${IMAGE} could not be pulled: ${String((error as { stderr?: string }).stderr ?? error)
          .trim()
          .split('\n')
          .at(-1)}`,
      );
      return undefined;
    }
  }
  return { kind: 'docker', image: IMAGE };
}
