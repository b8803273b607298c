import { join } from 'node:path';
import { REPOSITORY } from '@sluice/local-stack/config';
import { launchDaemon, type RunningDaemon } from '@sluice/local-stack/launch-daemon';
import type { PeerSurroundings } from './peers.ts';

/** Starts an ingest API with its own stream beside that of the stack, and waits until it is ready. */
export async function startIngest(
  { namespace, env }: { namespace: string; env: Readonly<Record<string, string>> },
  around: PeerSurroundings,
): Promise<RunningDaemon> {
  const name = `${namespace}-ingest`;
  return launchDaemon(
    {
      name,
      main: join(REPOSITORY, 'packages/ingest-api/src/main.ts'),
      cwd: around.folder,
      env: { PATH: around.path, REDIS_URL: around.redisUrl, SLUICE_NAMESPACE: namespace, INGEST_PORT: '0', ...env },
      logFile: join(around.folder, `${name}.log`),
      pidFile: join(around.folder, `${name}.pid`),
      report: () => {},
    },
    around.signal,
  );
}
