import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RedisLauncher } from './redis-launcher.ts';
import { CONFIG_FILE } from './redis-password.ts';
import { stopOrphan } from './stop-orphan.ts';

/** Runs a `redis-server` or `valkey-server` program on a folder. Redis's pid file finds one of an earlier run. */
export function programRedis(folder: string, program: string): RedisLauncher {
  const pidFile = join(folder, 'redis.pid');
  return {
    async stopOrphan() {
      const pid = Number.parseInt(await readFile(pidFile, 'utf8').catch(() => ''), 10);
      if (!Number.isInteger(pid) || pid <= 1) return;
      await stopOrphan({
        pid,
        isIt: (command) => command.includes(`--pidfile ${pidFile}`),
        signals: ['SIGTERM'],
        patienceMs: 30_000,
      });
    },
    spawn(port, settings, output) {
      const all = {
        ...settings,
        bind: '127.0.0.1',
        port: String(port),
        dir: folder,
        pidfile: pidFile,
        daemonize: 'no',
        // Redis otherwise replaces its command line with its address, but the folder in it identifies the server.
        'set-proc-title': 'no',
      };
      const args = Object.entries(all).flatMap(([name, value]) => [`--${name}`, value]);
      return spawn(program, [join(folder, CONFIG_FILE), ...args], {
        detached: true,
        cwd: folder,
        stdio: ['ignore', output, output],
      });
    },
    isOurs: ({ processId }, child) => processId === child.pid,
  };
}
