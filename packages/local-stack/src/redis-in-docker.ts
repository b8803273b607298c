import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import type { RedisLauncher } from './redis-launcher.ts';
import { CONFIG_FILE } from './redis-password.ts';

const PORT_INSIDE = 6379;

/**
 * Runs a Redis image on a folder. The Docker client stays in the foreground and passes SIGTERM on to Redis, so that it
 * is awaited and stopped like a program; `--rm` then removes the container. Its name is derived from the folder, so
 * that a container of an earlier run is found.
 */
export function dockerRedis(folder: string, image: string): RedisLauncher {
  const name = `sluice-redis-${createHash('sha256').update(folder).digest('hex').slice(0, 12)}`;
  // As the caller, not as the image's own user, so that the caller can delete the files in the folder.
  const user = process.getuid && process.getgid ? ['--user', `${process.getuid()}:${process.getgid()}`] : [];
  return {
    async stopOrphan() {
      await promisify(execFile)('docker', ['stop', name]).catch(() => {});
      await promisify(execFile)('docker', ['rm', '--force', name]).catch(() => {});
    },
    spawn(port, settings, output) {
      const all = {
        ...settings,
        bind: '0.0.0.0',
        'protected-mode': 'no',
        port: String(PORT_INSIDE),
        dir: '/data',
      };
      const container = ['--name', name, '--label', `sluice.data-dir=${folder}`, ...user];
      const network = ['--publish', `127.0.0.1:${port}:${PORT_INSIDE}`];
      const volume = ['--volume', `${folder}:/data`];
      const config = Object.entries(all).flatMap(([setting, value]) => [`--${setting}`, value]);
      const args = ['run', '--rm'].concat(
        container,
        network,
        volume,
        image,
        'redis-server',
        `/data/${CONFIG_FILE}`,
        config,
      );
      return spawn('docker', args, { detached: true, stdio: ['ignore', output, output] });
    },
    // Inside the container it has another pid; the port is mapped to this container or `docker run` fails.
    isOurs: () => true,
  };
}
