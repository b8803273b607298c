import { installWithApt } from './install-with-apt.ts';

export interface InstallRedisOptions {
  env: NodeJS.ProcessEnv;
  report: (line: string) => void;
}

/**
 * Installs the package `redis-server` on Debian and Ubuntu as root. Elsewhere it does nothing and answers false.
 * Throws with the end of apt-get's output when it fails.
 */
export function installRedisWithApt({ env, report }: InstallRedisOptions): Promise<boolean> {
  return installWithApt({
    package: 'redis-server',
    env,
    announce: () =>
      report(
        'Redis: not on this machine; installing redis-server with apt-get (--no-install refuses that; REDIS_URL names another)',
      ),
    advice: 'install Redis yourself or set REDIS_URL',
  });
}
